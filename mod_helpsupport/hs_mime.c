/* hs_mime.c - layer 2: text as mail carries it: quoted-printable, encoded words, folded headers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_mime.h"

#include <apr_base64.h>

#include <string.h>

#define BODY_LINE 75    /* without the "=" of a soft break */
#define HEADER_LINE 78  /* RFC 5322 2.1.1 */
#define ENCODED_LINE 76 /* RFC 2047 2: a line that holds an encoded word */
#define WORD_AROUND 12  /* "=?UTF-8?B?" and "?=" */
#define PLAIN_TOKEN 60  /* a longer one is encoded, so that it can be cut */

static const char hex[] = "0123456789ABCDEF";

static int is_printable(char octet)
{
    return octet >= ' ' && octet <= '~';
}

static int is_letter_or_digit(char octet)
{
    return (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z') ||
           (octet >= '0' && octet <= '9');
}

/* Octets of the character at `at`, by its continuation octets, so that even what is not UTF-8 is
 * only walked through, never beyond its NUL. */
static apr_size_t character_length(const char *at)
{
    apr_size_t length = 1;

    while (length < 4 && ((unsigned char)at[length] & 0xC0) == 0x80) {
        length++;
    }
    return length;
}

static void put_hex(hs_buffer *out, char octet)
{
    hs_buffer_putc(out, '=');
    hs_buffer_putc(out, hex[(unsigned char)octet >> 4]);
    hs_buffer_putc(out, hex[(unsigned char)octet & 15]);
}

/* Whether the octet at `at` may stand in a quoted-printable body as it is. */
static int is_plain_in_body(const char *at, apr_size_t column)
{
    if (*at == ' ' || *at == '\t') {
        return at[1] != '\0' && at[1] != '\r' && at[1] != '\n';
    }
    if (column == 0 && (*at == '.' || strncmp(at, "From ", 5) == 0)) {
        return 0;
    }
    return is_printable(*at) && *at != '=';
}

/* Append the character at `at`; returns the column after it. What begins a line is decided before
 * the soft break, which may make it begin one after all: hence the second look. */
static apr_size_t put_body_character(hs_buffer *out, const char *at, apr_size_t column)
{
    apr_size_t length = character_length(at);
    apr_size_t width = is_plain_in_body(at, column) ? 1 : 3 * length;
    apr_size_t i;

    if (column + width > BODY_LINE) {
        hs_buffer_puts(out, "=\r\n");
        column = 0;
        width = is_plain_in_body(at, 0) ? 1 : 3 * length;
    }
    for (i = 0; i < length; i++) {
        if (width == 1) {
            hs_buffer_putc(out, at[i]);
        } else {
            put_hex(out, at[i]);
        }
    }
    return column + width;
}

void hs_mime_put_body(hs_buffer *out, const char *text)
{
    apr_size_t column = 0;

    while (*text) {
        if (*text == '\r' || *text == '\n') {
            text += text[0] == '\r' && text[1] == '\n' ? 2 : 1;
            hs_buffer_puts(out, "\r\n");
            column = 0;
        } else {
            column = put_body_character(out, text, column);
            text += character_length(text);
        }
    }
}

/* Within a phrase fewer characters are safe than elsewhere (RFC 2047 5 (3)); using these few
 * everywhere costs little. */
static apr_size_t word_width(char octet, int is_base64)
{
    if (is_base64) {
        return 1;
    }
    return is_letter_or_digit(octet) || octet == ' ' ? 1 : 3;
}

static int is_shorter_in_base64(const char *text)
{
    apr_size_t quoted = 0;
    apr_size_t length = strlen(text);
    apr_size_t i;

    for (i = 0; i < length; i++) {
        quoted += word_width(text[i], 0);
    }
    return (length + 2) / 3 * 4 < quoted;
}

/* How many octets of `text`, whole characters, fit into an encoded word of `room` octets. */
static apr_size_t fitting_length(const char *text, apr_size_t room, int is_base64)
{
    apr_size_t length = 0;
    apr_size_t used = 0;
    apr_size_t limit = is_base64 ? room / 4 * 3 : room;
    apr_size_t next;
    apr_size_t i;

    while (text[length]) {
        next = character_length(text + length);
        for (i = 0; i < next; i++) {
            used += word_width(text[length + i], is_base64);
        }
        if (used > limit) {
            break;
        }
        length += next;
    }
    return length;
}

static void put_encoded_word(hs_buffer *out, const char *text, apr_size_t length, int is_base64)
{
    apr_size_t i;

    hs_buffer_puts(out, is_base64 ? "=?UTF-8?B?" : "=?UTF-8?Q?");
    if (is_base64) {
        char *to = hs_buffer_reserve(out, (length + 2) / 3 * 4 + 1);

        out->length +=
            (apr_size_t)apr_base64_encode_binary(to, (const unsigned char *)text, (int)length) - 1;
    }
    for (i = 0; !is_base64 && i < length; i++) {
        if (text[i] == ' ') {
            hs_buffer_putc(out, '_');
        } else if (word_width(text[i], 0) == 1) {
            hs_buffer_putc(out, text[i]);
        } else {
            put_hex(out, text[i]);
        }
    }
    hs_buffer_puts(out, "?=");
}

static apr_size_t column_of(const hs_buffer *out)
{
    apr_size_t column = 0;

    while (column < out->length && out->data[out->length - 1 - column] != '\n') {
        column++;
    }
    return column;
}

static void put_encoded_words(hs_buffer *out, const char *text)
{
    int is_base64 = is_shorter_in_base64(text);
    apr_size_t column = column_of(out);
    apr_size_t length;
    apr_size_t room;

    while (*text) {
        room = column + WORD_AROUND < ENCODED_LINE ? ENCODED_LINE - WORD_AROUND - column : 0;
        length = fitting_length(text, room, is_base64);
        if (length > 0) {
            put_encoded_word(out, text, length, is_base64);
            text += length;
        }
        if (*text) {
            hs_buffer_puts(out, "\r\n ");
            column = 1;
        }
    }
}

/* Whether `text` can be folded as it is: printable ASCII, nothing that reads as an encoded word,
 * only single inner spaces (others get lost or make a line of white space), no very long token. */
static int is_foldable(const char *text)
{
    apr_size_t token = 0;
    apr_size_t i;

    if (strstr(text, "=?") || text[0] == ' ' || text[0] == '\0') {
        return text[0] == '\0';
    }
    for (i = 0; text[i]; i++) {
        if (!is_printable(text[i])) {
            return 0;
        }
        token = text[i] == ' ' ? 0 : token + 1;
        if (token > PLAIN_TOKEN || (text[i] == ' ' && (text[i + 1] == ' ' || !text[i + 1]))) {
            return 0;
        }
    }
    return 1;
}

/* Append foldable text, breaking the line before a token that would not fit. */
static void put_folded(hs_buffer *out, const char *text)
{
    apr_size_t column = column_of(out);
    apr_size_t length;

    while (*text) {
        length = strcspn(text + 1, " ") + 1;
        if (column + length > HEADER_LINE && *text == ' ') {
            hs_buffer_puts(out, "\r\n");
            column = 0;
        }
        hs_buffer_append(out, text, length);
        column += length;
        text += length;
    }
}

void hs_mime_put_header(hs_buffer *out, const char *name, const char *value)
{
    hs_buffer_puts(out, name);
    hs_buffer_puts(out, ": ");
    if (is_foldable(value)) {
        put_folded(out, value);
    } else {
        put_encoded_words(out, value);
    }
    hs_buffer_puts(out, "\r\n");
}

/* Whether `display` is a phrase of atoms (RFC 5322 3.2.3). */
static int has_only_atoms(const char *display)
{
    for (; *display; display++) {
        if (!is_letter_or_digit(*display) && !strchr(" !#$%&'*+-/=?^_`{|}~", *display)) {
            return 0;
        }
    }
    return 1;
}

static void put_quoted_string(hs_buffer *out, const char *text)
{
    hs_buffer_putc(out, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') {
            hs_buffer_putc(out, '\\');
        }
        hs_buffer_putc(out, *text);
    }
    hs_buffer_putc(out, '"');
}

static void put_phrase(hs_buffer *out, const char *display)
{
    if (is_foldable(display) && has_only_atoms(display)) {
        put_folded(out, display);
    } else if (is_foldable(display) && strlen(display) <= PLAIN_TOKEN / 2) {
        put_quoted_string(out, display);
    } else {
        put_encoded_words(out, display);
    }
}

void hs_mime_put_mailbox(hs_buffer *out, const char *name, const char *display, const char *address)
{
    int has_display = display && *display;
    apr_size_t length = strlen(address) + (has_display ? 2 : 0);

    hs_buffer_puts(out, name);
    hs_buffer_putc(out, ':');
    if (has_display) {
        hs_buffer_putc(out, ' ');
        put_phrase(out, display);
    }
    if (column_of(out) + 1 + length > HEADER_LINE && (has_display || length < HEADER_LINE)) {
        hs_buffer_puts(out, "\r\n");
    }
    hs_buffer_puts(out, has_display ? " <" : " ");
    hs_buffer_puts(out, address);
    hs_buffer_puts(out, has_display ? ">\r\n" : "\r\n");
}
