/* test_mime.c - quoted-printable bodies, encoded words, folded headers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_mime.h"

#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

static apr_pool_t *pool;

static const char *body(const char *text)
{
    hs_buffer out;

    hs_buffer_init(&out, 1, pool);
    hs_mime_put_body(&out, text);
    return out.data;
}

static const char *header(const char *value)
{
    hs_buffer out;

    hs_buffer_init(&out, 1, pool);
    hs_mime_put_header(&out, "Subject", value);
    return out.data;
}

static const char *mailbox(const char *display, const char *address)
{
    hs_buffer out;

    hs_buffer_init(&out, 1, pool);
    hs_mime_put_mailbox(&out, "From", display, address);
    return out.data;
}

/* `count` times `text`. */
static const char *repeat(const char *text, int count)
{
    hs_buffer out;

    hs_buffer_init(&out, 1, pool);
    while (count-- > 0) {
        hs_buffer_puts(&out, text);
    }
    return out.data;
}

/* Whether all is 7-bit, each line ends in CR LF and has at most `max` octets. */
static int is_mail(const char *text, apr_size_t max)
{
    apr_size_t length;

    for (; *text; text += length + 2) {
        length = strcspn(text, "\r\n");
        if (length > max || text[length] != '\r' || text[length + 1] != '\n') {
            return 0;
        }
        while (length > 0 && text[length - 1] >= ' ' && text[length - 1] <= '~') {
            text++;
            length--;
        }
        if (length > 0) {
            return 0;
        }
    }
    return 1;
}

static void test_body(void)
{
    tap_is_str(body(""), "", "empty");
    tap_is_str(body("a=b \t c"), "a=3Db \t c", "equals sign");
    tap_is_str(body("a\nb\r\nc\rd\n\n"), "a\r\nb\r\nc\r\nd\r\n\r\n", "line ends");
    tap_is_str(body("a \nb\t\r\nc "), "a=20\r\nb=09\r\nc=20", "blanks before a line end");
    tap_is_str(body(".\n..\na."), "=2E\r\n=2E.\r\na.", "dots");
    tap_is_str(body("From x\nFrom\n From x"), "=46rom x\r\nFrom\r\n From x", "From");
    tap_is_str(body("\xC3\xA4\x7F\x01"), "=C3=A4=7F=01", "what is not printable ASCII");
    tap_is_str(body(repeat("a", 75)), repeat("a", 75), "75 octets");
    tap_is_str(body(repeat("a", 76)), apr_pstrcat(pool, repeat("a", 75), "=\r\na", NULL),
               "76 octets");
    tap_is_str(body(apr_pstrcat(pool, repeat("a", 75), ".", NULL)),
               apr_pstrcat(pool, repeat("a", 75), "=\r\n=2E", NULL), "a dot behind a soft break");
    tap_is_str(body(apr_pstrcat(pool, repeat("a", 70), "\xC3\xA4", NULL)),
               apr_pstrcat(pool, repeat("a", 70), "=\r\n=C3=A4", NULL), "a character is not cut");
}

static void test_long_bodies(void)
{
    tap_ok(is_mail(apr_pstrcat(pool, body(repeat("\xF0\x9F\x98\x80", 10000)), "\r\n", NULL), 76),
           "10,000 emoji");
    tap_ok(is_mail(apr_pstrcat(pool, body(repeat(".", 10000)), "\r\n", NULL), 76), "10,000 dots");
    tap_ok(is_mail(apr_pstrcat(pool, body(repeat(" ", 10000)), "\r\n", NULL), 76), "10,000 spaces");
    tap_ok(is_mail(apr_pstrcat(pool, body(repeat("\xFF", 1000)), "\r\n", NULL), 76), "no UTF-8");
    tap_ok(!strstr(body(repeat("=_", 1000)), "=_"), "no boundary can be imitated");
}

static void test_header(void)
{
    tap_is_str(header("Hello"), "Subject: Hello\r\n", "ASCII");
    tap_is_str(header("=?x"), "Subject: =?UTF-8?B?PT94?=\r\n", "what reads as an encoded word");
    tap_is_str(header("gr\xC3\xBC\xC3\x9F"), "Subject: =?UTF-8?B?Z3LDvMOf?=\r\n", "base64");
    tap_is_str(header("this is gr\xC3\xBCn"), "Subject: =?UTF-8?Q?this_is_gr=C3=BCn?=\r\n", "Q");
    tap_is_str(header("a  b"), "Subject: =?UTF-8?Q?a__b?=\r\n", "two spaces");
    tap_is_str(header("a "), "Subject: =?UTF-8?Q?a_?=\r\n", "a space at the end");
    tap_ok(is_mail(header(repeat("word ", 60)), 78), "many words");
    tap_ok(is_mail(header(repeat("12345 words", 30)), 78), "more words");
    tap_is_str(header(apr_pstrcat(pool, repeat("1234567 ", 8), "12345 x", NULL)),
               apr_pstrcat(pool, "Subject: ", repeat("1234567 ", 8), "12345\r\n x\r\n", NULL),
               "folded at 78");
    tap_ok(is_mail(header(repeat("x", 1000)), 76), "one long word");
    tap_ok(is_mail(header(repeat("\xF0\x9F\x98\x80", 200)), 76), "200 emoji");
    tap_ok(is_mail(header(repeat("aaaaaaaa\xC3\xA4 ", 90)), 76), "Q over many lines");
}

static void test_mailbox(void)
{
    tap_is_str(mailbox(NULL, "a@b.example"), "From: a@b.example\r\n", "bare");
    tap_is_str(mailbox("", "a@b.example"), "From: a@b.example\r\n", "empty name");
    tap_is_str(mailbox("Help Desk", "a@b.example"), "From: Help Desk <a@b.example>\r\n", "atoms");
    tap_is_str(mailbox("Desk, Help", "a@b.example"), "From: \"Desk, Help\" <a@b.example>\r\n",
               "quoted string");
    tap_is_str(mailbox("a\"\\b", "a@b.example"), "From: \"a\\\"\\\\b\" <a@b.example>\r\n",
               "with escapes");
    tap_is_str(mailbox("\xC3\xA4<b>", "a@b.example"),
               "From: =?UTF-8?B?w6Q8Yj4=?= <a@b.example>\r\n", "encoded");
    tap_ok(is_mail(mailbox(repeat("Name, ", 30), "a@b.example"), 76), "long name");
    tap_ok(is_mail(mailbox(repeat("Name ", 30), "a@b.example"), 78), "long name with a blank");
    tap_ok(is_mail(mailbox("Name", repeat("a", 70)), 78), "address on a line of its own");
    tap_is_str(mailbox(NULL, repeat("a", 74)),
               apr_pstrcat(pool, "From:\r\n ", repeat("a", 74), "\r\n", NULL), "bare, too");
    tap_is_str(mailbox(NULL, repeat("a", 254)),
               apr_pstrcat(pool, "From: ", repeat("a", 254), "\r\n", NULL), "unless it is in vain");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_body();
    test_long_bodies();
    test_header();
    test_mailbox();
    return tap_done();
}
