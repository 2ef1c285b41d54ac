/* hs_message.c - layer 3: composes a mail with a text and an HTML part (RFC 5322, MIME). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_message.h"

#include "hs_email.h"
#include "hs_mime.h"
#include "hs_time.h"
#include "hs_utf8.h"

#include <apr_strings.h>

#include <string.h>

#define BOUNDARY_ID_MAX                                                                            \
    60 /* octets of the Message-ID in the boundary; RFC 2046 allows 70 in all                      \
        */
#define MESSAGE_ID_MAX 250
#define DAY_US (APR_USEC_PER_SEC * 24 * 60 * 60)

static int is_clean(const char *value)
{
    return value && hs_utf8_is_valid(value, strlen(value)) && !hs_utf8_has_control(value, 0);
}

/* Undo a quoted string that `text` begins with. Returns the text behind it, or NULL where it does
 * not end. */
static const char *read_quoted(char *name, const char *text)
{
    for (text++; *text && *text != '"'; text++) {
        text += text[0] == '\\' && text[1];
        *name++ = *text;
    }
    *name = '\0';
    return *text ? text + 1 : NULL;
}

/* Split at the "<": the name before it into *name ("" if there is none). Returns where the "<" is,
 * or NULL where the name is malformed. */
static const char *read_name(char *name, const char *text)
{
    apr_size_t length;

    if (*text == '"') {
        text = read_quoted(name, text);
        while (text && *text == ' ') {
            text++;
        }
        return text && *text == '<' ? text : NULL;
    }
    length = strcspn(text, "<>\"\\@,;");
    memcpy(name, text, length);
    name[length] = '\0';
    return text[length] == '<' ? text + length : NULL;
}

static const char *read_bracketed(const char *text, apr_pool_t *pool)
{
    apr_size_t length = strlen(text);

    if (length < 2 || text[length - 1] != '>') {
        return NULL;
    }
    return hs_email_normalize(apr_pstrmemdup(pool, text + 1, length - 2), pool);
}

hs_error *hs_mailbox_read(hs_mailbox *mailbox, const char *text, apr_pool_t *pool)
{
    char *name = apr_palloc(pool, strlen(text) + 1);
    const char *bracket;

    *name = '\0';
    mailbox->name = NULL;
    mailbox->address = NULL;
    if (!is_clean(text)) {
        return hs_error_make(pool, HS_CONFIGURATION,
                             "a mail address must be UTF-8 without control characters");
    }
    text = hs_utf8_trim(text, pool);
    if (!strpbrk(text, "<>\"")) {
        mailbox->address = hs_email_normalize(text, pool);
    } else {
        bracket = read_name(name, text);
        mailbox->address = bracket ? read_bracketed(bracket, pool) : NULL;
        mailbox->name = hs_utf8_trim(name, pool);
    }
    if (mailbox->name && !*mailbox->name) {
        mailbox->name = NULL;
    }
    if (!mailbox->address) {
        return hs_error_make(pool, HS_CONFIGURATION,
                             "\"%s\" is not of the form \"Name <user@example.com>\" (put a name "
                             "with special characters into double quotes)",
                             text);
    }
    return NULL;
}

/* RFC 5322 wants id-left and id-right: two dot-atoms, as loosely as the "@" and the characters go;
 * nothing here needs folding or quoting then. */
static int is_message_id(const char *id)
{
    const char *at = id ? strchr(id, '@') : NULL;

    return at && at > id && at[1] && !strchr(at + 1, '@') && strlen(id) <= MESSAGE_ID_MAX &&
           id[strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                         "!#$%&'*+-/=?^_`{|}~.@")] == '\0';
}

static int is_mailbox(const hs_mailbox *mailbox, apr_pool_t *pool)
{
    return is_clean(mailbox->address) && hs_email_normalize(mailbox->address, pool) &&
           (!mailbox->name || is_clean(mailbox->name));
}

static hs_error *check(const hs_message *message, apr_pool_t *pool)
{
    const char *what = NULL;

    if (!is_mailbox(message->from, pool)) {
        what = "From";
    } else if (message->reply_to && !is_mailbox(message->reply_to, pool)) {
        what = "Reply-To";
    } else if (!is_clean(message->to) || !hs_email_normalize(message->to, pool)) {
        what = "To";
    } else if (!is_clean(message->subject) || !*message->subject) {
        what = "Subject";
    } else if (!is_message_id(message->message_id)) {
        what = "Message-ID";
    } else if (!hs_utf8_is_valid(message->text, strlen(message->text))) {
        what = "text part";
    } else if (!hs_utf8_is_valid(message->html, strlen(message->html))) {
        what = "HTML part";
    }
    return what ? hs_error_make(pool, HS_INVALID, "the mail can't be composed: bad %s", what)
                : NULL;
}

static apr_int64_t floor_divide(apr_int64_t a, apr_int64_t b)
{
    return a / b - (a % b < 0);
}

/* "Fri, 04 Jul 2025 12:00:00 +0000", rearranged from "2025-07-04T12:00:00Z". */
static const char *format_date(apr_time_t us, apr_pool_t *pool)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    apr_int64_t day = floor_divide(us, DAY_US) + 4; /* 1970-01-01 was a Thursday */
    apr_int64_t weekday = day - floor_divide(day, 7) * 7;
    char iso[HS_TIME_SIZE];
    int month;

    hs_time_format(iso, us);
    month = (iso[5] - '0') * 10 + (iso[6] - '0') - 1;
    return apr_psprintf(pool, "%s, %.2s %s %.4s %.8s +0000", days[weekday], iso + 8, months[month],
                        iso, iso + 11);
}

/* "=_" never occurs in quoted-printable, so no text can imitate a boundary, and the Message-ID's
 * letters and digits keep it apart from those of mails that quote this one. */
static const char *make_boundary(const char *message_id, apr_pool_t *pool)
{
    char *boundary = apr_pstrcat(pool, "=_", message_id, NULL);
    char *to = boundary + 2;

    for (; *message_id && to - boundary < BOUNDARY_ID_MAX + 2; message_id++) {
        if ((*message_id >= '0' && *message_id <= '9') ||
            ((*message_id | 0x20) >= 'a' && (*message_id | 0x20) <= 'z')) {
            *to++ = *message_id;
        }
    }
    *to = '\0';
    return boundary;
}

static void put_line(hs_buffer *out, const char *one, const char *two, const char *three)
{
    hs_buffer_puts(out, one);
    hs_buffer_puts(out, two);
    hs_buffer_puts(out, three);
    hs_buffer_puts(out, "\r\n");
}

static void put_headers(hs_buffer *out, const hs_message *message, const char *boundary,
                        apr_pool_t *pool)
{
    const char *id = apr_pstrcat(pool, "<", message->message_id, ">", NULL);

    hs_mime_put_mailbox(out, "From", message->from->name, message->from->address);
    hs_mime_put_mailbox(out, "To", NULL, message->to);
    if (message->reply_to) {
        hs_mime_put_mailbox(out, "Reply-To", message->reply_to->name, message->reply_to->address);
    }
    hs_mime_put_header(out, "Subject", message->subject);
    put_line(out, "Date: ", format_date(message->date_us, pool), "");
    hs_mime_put_mailbox(out, "Message-ID", NULL, id);
    put_line(out, "MIME-Version: 1.0", "", "");
    put_line(out, "Auto-Submitted: auto-generated", "", "");
    put_line(out, "X-Auto-Response-Suppress: All", "", "");
    put_line(out, "Content-Type: multipart/alternative;\r\n boundary=\"", boundary, "\"");
}

static void put_part(hs_buffer *out, const char *boundary, const char *type, const char *body)
{
    put_line(out, "\r\n--", boundary, "");
    put_line(out, "Content-Type: ", type, "; charset=utf-8");
    put_line(out, "Content-Transfer-Encoding: quoted-printable\r\n", "", "");
    hs_mime_put_body(out, body);
}

hs_error *hs_message_compose(hs_buffer *out, const hs_message *message, apr_pool_t *pool)
{
    hs_error *error = check(message, pool);
    const char *boundary;

    if (error) {
        return error;
    }
    boundary = make_boundary(message->message_id, pool);
    put_headers(out, message, boundary, pool);
    put_part(out, boundary, "text/plain", message->text);
    put_part(out, boundary, "text/html", message->html);
    put_line(out, "\r\n--", boundary, "--");
    return NULL;
}
