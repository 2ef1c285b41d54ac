/* hs_smtp_reply.c - layer 2: what a relay answered, and what that means for a mail. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_smtp_reply.h"

#include <apr_cstr.h>

#include <string.h>

/* The code of a line that can belong to a reply, else 0. */
static int read_code(const char *line, apr_size_t length)
{
    if (length < 3 || line[0] < '2' || line[0] > '5' || line[1] < '0' || line[1] > '9' ||
        line[2] < '0' || line[2] > '9' || (length > 3 && line[3] != ' ' && line[3] != '-') ||
        memchr(line, '\0', length)) {
        return 0;
    }
    return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
}

static void append(hs_smtp_reply *reply, const char *octets, apr_size_t length)
{
    apr_size_t room = sizeof(reply->text) - 1 - reply->length;

    if (length > room) {
        reply->cut = 1;
        length = room;
    }
    memcpy(reply->text + reply->length, octets, length);
    reply->length += length;
    reply->text[reply->length] = '\0';
}

int hs_smtp_reply_add(hs_smtp_reply *reply, const char *line, apr_size_t length)
{
    int code;

    while (length && (line[length - 1] == '\n' || line[length - 1] == '\r')) {
        length--;
    }
    code = read_code(line, length);
    if (!code || (reply->more && code != reply->code)) {
        return 0;
    }
    if (reply->more) {
        append(reply, " ", 1);
        append(reply, line + 3 + (length > 3), length - 3 - (length > 3));
    } else {
        reply->length = 0;
        reply->cut = 0;
        append(reply, line, length);
    }
    reply->code = code;
    reply->more = length > 3 && line[3] == '-';
    return 1;
}

/* The text behind "550 ", where an enhanced code stands if there is one. */
static const char *enhanced(const hs_smtp_reply *reply)
{
    return reply->length > 4 ? reply->text + 4 : "";
}

int hs_smtp_reply_is_policy(const hs_smtp_reply *reply)
{
    return !strncmp(enhanced(reply), "5.7.", 4);
}

static int is_mailbox_full(const hs_smtp_reply *reply)
{
    const char *code = enhanced(reply);

    return reply->code == 552 || (!strncmp(code, "5.2.2", 5) && (code[5] < '0' || code[5] > '9'));
}

/* The relay refuses us, not the mail. strcasestr would ask the locale; relays write it in either of
 * these ways. */
static int is_about_us(const hs_smtp_reply *reply)
{
    switch (reply->code) {
    case 421: /* closing */
    case 530: /* TLS or login wanted */
    case 534:
    case 535: /* wrong login */
        return 1;
    default:
        return reply->code >= 400 && (strstr(reply->text, "too many connections") ||
                                      strstr(reply->text, "Too many connections"));
    }
}

hs_smtp_class hs_smtp_reply_classify(const hs_smtp_reply *reply, hs_smtp_stage stage, int answered)
{
    if (stage == HS_SMTP_CONNECTING) {
        return HS_SMTP_RELAY;
    }
    if (stage == HS_SMTP_HANDED_OVER && (!answered || reply->code < 400)) {
        return HS_SMTP_AMBIGUOUS;
    }
    if (!reply->code || is_about_us(reply)) {
        return HS_SMTP_RELAY;
    }
    /* Lost between two replies, or a reply that fits no step: the mail itself may be the cause, so
     * it costs a try; else one such mail would hold up all others. */
    if (!answered || reply->code < 500 || is_mailbox_full(reply)) {
        return HS_SMTP_TEMPORARY;
    }
    /* MAIL names no recipient: whoever is refused there, every mail is. None may be lost before the
     * administrator has mended it. */
    if (stage == HS_SMTP_SENDER) {
        return HS_SMTP_TEMPORARY;
    }
    return HS_SMTP_PERMANENT;
}

static apr_size_t put(char out[HS_SMTP_REPLY_SIZE], apr_size_t at, const char *octets,
                      apr_size_t length)
{
    for (; length && at < HS_SMTP_REPLY_SIZE - 1; length--, octets++) {
        out[at++] = *octets >= ' ' && *octets <= '~' ? *octets : '?';
    }
    return at;
}

/* What of an address names its owner. */
static apr_size_t name_length(const char *address)
{
    apr_size_t length = strcspn(address, "+@");

    return length ? length : strcspn(address, "@");
}

static int is_letter_or_digit(char octet)
{
    return (octet >= '0' && octet <= '9') || ((octet | 0x20) >= 'a' && (octet | 0x20) <= 'z');
}

/* Whether the recipient's name stands there, not as a part of something longer. */
static int names(const char *word, apr_size_t length, const char *recipient)
{
    apr_size_t size = recipient ? name_length(recipient) : 0;

    for (apr_size_t at = 0; size && at + size <= length; at++) {
        if (apr_cstr_casecmpn(word + at, recipient, size) == 0 &&
            (at == 0 || !is_letter_or_digit(word[at - 1])) &&
            (at + size == length || !is_letter_or_digit(word[at + size]))) {
            return 1;
        }
    }
    return 0;
}

/* A word ends where an address can't go on; "'" may be a part of one. */
void hs_smtp_reply_mask(char out[HS_SMTP_REPLY_SIZE], const char *text, int is_cut,
                        const char *recipient)
{
    static const char stand_in[] = "(address)";
    apr_size_t at = 0;

    while (*text) {
        apr_size_t word = strcspn(text, " \t<>()[]\",;:");

        if (is_cut && !text[word]) {
            break;
        }
        if (memchr(text, '@', word) || names(text, word, recipient)) {
            at = put(out, at, stand_in, sizeof(stand_in) - 1);
        } else {
            at = put(out, at, text, word);
        }
        text += word;
        if (*text) {
            at = put(out, at, text++, 1);
        }
    }
    out[at] = '\0';
}
