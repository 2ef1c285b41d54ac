/* test_message.c - composed mails: headers, refusals, the same octets each time. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_message.h"

#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

#define NOW_US APR_INT64_C(1751630400123456) /* 2025-07-04T12:00:00Z */

static apr_pool_t *pool;

static hs_mailbox from = {"Ex\xC3\xA4mple", "support@example.com"};

static hs_message sample(void)
{
    hs_message message = {&from,       NULL,         "jane@example.com",
                          "Hello",     NOW_US,       "hs.1.confirmation.a@example.com",
                          "text\n.\n", "<p>html</p>"};

    return message;
}

static const char *composed(const hs_message *message)
{
    hs_buffer out;
    hs_error *error;

    hs_buffer_init(&out, 1, pool);
    error = hs_message_compose(&out, message, pool);
    if (error && out.length > 0) {
        return "appended although it failed";
    }
    return error ? error->text : out.data;
}

static void test_whole(void)
{
    hs_message message = sample();
    hs_mailbox reply_to = {NULL, "help@example.com"};

    message.reply_to = &reply_to;
    tap_is_str(composed(&message),
               "From: =?UTF-8?Q?Ex=C3=A4mple?= <support@example.com>\r\n"
               "To: jane@example.com\r\n"
               "Reply-To: help@example.com\r\n"
               "Subject: Hello\r\n"
               "Date: Fri, 04 Jul 2025 12:00:00 +0000\r\n"
               "Message-ID: <hs.1.confirmation.a@example.com>\r\n"
               "MIME-Version: 1.0\r\n"
               "Auto-Submitted: auto-generated\r\n"
               "X-Auto-Response-Suppress: All\r\n"
               "Content-Type: multipart/alternative;\r\n"
               " boundary=\"=_hs1confirmationaexamplecom\"\r\n"
               "\r\n"
               "--=_hs1confirmationaexamplecom\r\n"
               "Content-Type: text/plain; charset=utf-8\r\n"
               "Content-Transfer-Encoding: quoted-printable\r\n"
               "\r\n"
               "text\r\n"
               "=2E\r\n"
               "\r\n"
               "--=_hs1confirmationaexamplecom\r\n"
               "Content-Type: text/html; charset=utf-8\r\n"
               "Content-Transfer-Encoding: quoted-printable\r\n"
               "\r\n"
               "<p>html</p>\r\n"
               "--=_hs1confirmationaexamplecom--\r\n",
               "the whole message");
    tap_is_str(composed(&message), composed(&message), "twice the same octets");
}

static void check_date(apr_time_t us, const char *want)
{
    hs_message message = sample();
    const char *date;

    message.date_us = us;
    date = strstr(composed(&message), "\r\nDate: ");
    tap_ok(date && strncmp(date + 8, want, strlen(want)) == 0, "%.31s", want);
}

static void test_dates(void)
{
    check_date(0, "Thu, 01 Jan 1970 00:00:00 +0000\r\n");
    check_date(APR_INT64_C(-1), "Wed, 31 Dec 1969 23:59:59 +0000\r\n");
    check_date(APR_INT64_C(951782400000000), "Tue, 29 Feb 2000 00:00:00 +0000\r\n");
    check_date(APR_INT64_C(4102444799999999), "Thu, 31 Dec 2099 23:59:59 +0000\r\n");
}

static void test_refused(void)
{
    static const char *const broken[] = {"a\r\nBcc: x@example.com",
                                         "a\n",
                                         "a\rb",
                                         "a\x01",
                                         "a\xC2\x85",
                                         "a\x7F",
                                         "\xFF",
                                         "\xED\xA0\x80"};
    static const char *const no_address[] = {
        "", "a", "a@b@c.example", "a b@c.example", "a@x,b@y", "<a@b.example>", "a@b.example\r\n"};
    static const char *const no_id[] = {"", "a", "@a", "a@", "a@b@c", "a b@c", "<a@b>", "a@b\r\n"};
    hs_mailbox bad = {NULL, "a@b.example"};
    hs_message message;
    size_t i;

    for (i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
        message = sample();
        message.subject = broken[i];
        tap_is_str(composed(&message), "the mail can't be composed: bad Subject", "Subject");
        bad.name = broken[i];
        message = sample();
        message.from = &bad;
        tap_is_str(composed(&message), "the mail can't be composed: bad From", "From");
        message = sample();
        message.reply_to = &bad;
        tap_is_str(composed(&message), "the mail can't be composed: bad Reply-To", "Reply-To");
        message = sample();
        message.to = apr_pstrcat(pool, broken[i], "@example.com", NULL);
        tap_is_str(composed(&message), "the mail can't be composed: bad To", "To");
    }
    for (i = 0; i < sizeof(no_address) / sizeof(*no_address); i++) {
        message = sample();
        message.to = no_address[i];
        tap_is_str(composed(&message), "the mail can't be composed: bad To", "no address");
    }
    for (i = 0; i < sizeof(no_id) / sizeof(*no_id); i++) {
        message = sample();
        message.message_id = no_id[i];
        tap_is_str(composed(&message), "the mail can't be composed: bad Message-ID", "no id");
    }
    message = sample();
    message.text = "\xC3";
    tap_is_str(composed(&message), "the mail can't be composed: bad text part", "text");
    message = sample();
    message.html = "\xC3";
    tap_is_str(composed(&message), "the mail can't be composed: bad HTML part", "HTML");
    message = sample();
    message.subject = "";
    tap_is_str(composed(&message), "the mail can't be composed: bad Subject", "empty subject");
}

static void test_long_address(void)
{
    char to[255];
    hs_message message = sample();
    const char *line;

    memset(to, 'a', sizeof(to));
    to[64] = '@';
    to[127] = to[190] = '.';
    memcpy(to + 250, ".com", 5);
    message.to = to;
    line = apr_pstrcat(pool, "\r\nTo: ", to, "\r\n", NULL);
    tap_ok(strstr(composed(&message), line) != NULL, "254 octets stay in one piece");
}

static void test_mailboxes(void)
{
    static const struct {
        const char *text;
        const char *name;
        const char *address; /* NULL: refused */
    } cases[] = {
        {"a@b.example", NULL, "a@b.example"},
        {" a@b.example ", NULL, "a@b.example"},
        {"<a@b.example>", NULL, "a@b.example"},
        {"Help & Support <a@B.example>", "Help & Support", "a@b.example"},
        {"Help<a@b.example>", "Help", "a@b.example"},
        {"\"Desk, \\\"Help\\\"\" <a@b.example>", "Desk, \"Help\"", "a@b.example"},
        {"\"\" <a@b.example>", NULL, "a@b.example"},
        {"H\xC3\xA4lp (x) <a@b\xC3\xBC"
         "cher.example>",
         "H\xC3\xA4lp (x)", "a@xn--bcher-kva.example"},
        {"", NULL, NULL},
        {"Help", NULL, NULL},
        {"Help a@b.example", NULL, NULL},
        {"Help <a@b.example> x", NULL, NULL},
        {"Help <a@b.example", NULL, NULL},
        {"Help a@b.example>", NULL, NULL},
        {"Help <<a@b.example>>", NULL, NULL},
        {"Help, Desk <a@b.example>", NULL, NULL},
        {"a@b.example <a@b.example>", NULL, NULL},
        {"\"Help <a@b.example>", NULL, NULL},
        {"\"Help\\", NULL, NULL},
        {"\"Help\" x <a@b.example>", NULL, NULL},
        {"Help <a@b.example>\r\nBcc: x", NULL, NULL},
        {"Help\x01 <a@b.example>", NULL, NULL},
        {"Help\xFF <a@b.example>", NULL, NULL},
        {"Help <>", NULL, NULL},
        {"Help <a@b.example,c@d.example>", NULL, NULL},
    };
    hs_mailbox mailbox;
    hs_error *error;
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        error = hs_mailbox_read(&mailbox, cases[i].text, pool);
        tap_ok(!error == (cases[i].address != NULL), "case %d is %s", (int)i,
               cases[i].address ? "read" : "refused");
        if (!error) {
            tap_is_str(mailbox.name, cases[i].name, "name");
            tap_is_str(mailbox.address, cases[i].address, "address");
        } else {
            tap_is_int(error->code, HS_CONFIGURATION, "code");
        }
    }
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_whole();
    test_dates();
    test_refused();
    test_long_address();
    test_mailboxes();
    return tap_done();
}
