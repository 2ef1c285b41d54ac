/* hs_escape.c - layer 2: untrusted text into HTML, plain text, one line, a URL. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_escape.h"

#include <string.h>

/* How many octets at `at` are one line break; 0 if none. */
static apr_size_t line_break_length(const char *at)
{
    if (at[0] == '\r') {
        return at[1] == '\n' ? 2 : 1;
    }
    if (at[0] == '\n') {
        return 1;
    }
    if (at[0] == '\xC2' && at[1] == '\x85') {
        return 2;
    }
    return strncmp(at, "\xE2\x80\xA8", 3) == 0 || strncmp(at, "\xE2\x80\xA9", 3) == 0 ? 3 : 0;
}

static int is_bidi_control(const char *at)
{
    unsigned char second;
    unsigned char third;

    if (at[0] != '\xE2' || at[1] == '\0') {
        return 0;
    }
    second = (unsigned char)at[1];
    third = (unsigned char)at[2];
    return (second == 0x80 && third >= 0xAA && third <= 0xAE) ||
           (second == 0x81 && third >= 0xA6 && third <= 0xA9);
}

/* How many octets at `at`, which is no line break, are to be left out. */
static apr_size_t dropped_length(const char *at)
{
    unsigned char first = (unsigned char)at[0];
    unsigned char second = (unsigned char)at[1];

    if ((first < 0x20 && first != '\t') || first == 0x7F) {
        return 1;
    }
    if (first == 0xC2 && second >= 0x80 && second <= 0x9F) {
        return 2;
    }
    return is_bidi_control(at) ? 3 : 0;
}

static void put_plain(hs_buffer *out, char octet)
{
    hs_buffer_putc(out, octet);
}

static void put_line(hs_buffer *out, char octet)
{
    hs_buffer_putc(out, octet == '\t' ? ' ' : octet);
}

static void put_html(hs_buffer *out, char octet)
{
    switch (octet) {
    case '&':
        hs_buffer_puts(out, "&amp;");
        break;
    case '<':
        hs_buffer_puts(out, "&lt;");
        break;
    case '>':
        hs_buffer_puts(out, "&gt;");
        break;
    case '"':
        hs_buffer_puts(out, "&quot;");
        break;
    case '\'':
        hs_buffer_puts(out, "&#39;");
        break;
    default:
        hs_buffer_putc(out, octet);
    }
}

static int is_unreserved(char octet)
{
    return (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z') ||
           (octet >= '0' && octet <= '9') || (octet != '\0' && strchr("-._~", octet) != NULL);
}

static void put_url(hs_buffer *out, char octet)
{
    static const char hex[] = "0123456789ABCDEF";
    unsigned char value = (unsigned char)octet;

    if (is_unreserved(octet) || octet == '@') {
        hs_buffer_putc(out, octet);
        return;
    }
    hs_buffer_putc(out, '%');
    hs_buffer_putc(out, hex[value >> 4]);
    hs_buffer_putc(out, hex[value & 15]);
}

static void put_all(hs_buffer *out, const char *text, const char *line_break,
                    void (*put)(hs_buffer *, char))
{
    apr_size_t length;

    while (*text) {
        if ((length = line_break_length(text)) > 0) {
            hs_buffer_puts(out, line_break);
        } else if ((length = dropped_length(text)) == 0) {
            put(out, *text);
            length = 1;
        }
        text += length;
    }
}

void hs_escape_html(hs_buffer *out, const char *text, const char *line_break)
{
    put_all(out, text, line_break, put_html);
}

void hs_escape_text(hs_buffer *out, const char *text)
{
    put_all(out, text, "\n", put_plain);
}

void hs_escape_line(hs_buffer *out, const char *text)
{
    put_all(out, text, " ", put_line);
}

void hs_escape_url(hs_buffer *out, const char *text)
{
    put_all(out, text, "%0A", put_url);
}

static int is_white(char octet)
{
    return octet == ' ' || octet == '\t' || octet == '\n';
}

void hs_escape_join_lines(hs_buffer *out, apr_size_t start, int max)
{
    apr_size_t from;
    apr_size_t to = start;
    int count = 0;

    for (from = start; from < out->length; from++) {
        char octet = is_white(out->data[from]) ? ' ' : out->data[from];

        if (octet == ' ' && (to == start || out->data[to - 1] == ' ')) {
            continue;
        }
        count += ((unsigned char)octet & 0xC0) != 0x80;
        if (count > max) {
            break;
        }
        out->data[to++] = octet;
    }
    to -= to > start && out->data[to - 1] == ' ';
    out->data[to] = '\0';
    out->length = to;
}

/* Any octet of a character beyond ASCII counts: host names may have them. */
static int is_letter(char octet)
{
    return (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z') ||
           ((unsigned char)octet & 0x80);
}

static int is_letter_or_digit(char octet)
{
    return is_letter(octet) || (octet >= '0' && octet <= '9');
}

void hs_escape_inert(hs_buffer *out, const char *text)
{
    char previous = '\0';

    for (; *text; text++) {
        hs_buffer_putc(out, *text);
        if ((strncmp(text, "://", 3) == 0) || (*text == '.' && is_letter_or_digit(previous) &&
                                               is_letter(text[1]) && is_letter(text[2]))) {
            hs_buffer_putc(out, ' ');
        }
        previous = *text;
    }
}
