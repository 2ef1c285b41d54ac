/* test_smtp_mail.c - what must never reach the relay: commands in addresses and bodies. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_smtp_mail.h"

#include "tap.h"

#include <apr_general.h>

static const char *problem(const char *sender, const char *recipient, const char *octets,
                           apr_size_t length)
{
    hs_smtp_mail mail = {sender, recipient, octets, length};

    return hs_smtp_mail_problem(&mail);
}

static void test_addresses(void)
{
    static const char *const good[] = {"a@b.example", "a.b+c_d-e@xn--bcher-kva.example",
                                       "o'brien/x=y@example.org", "{}|~^`!#$%&*?@b.example"};
    static const char *const bad[] = {
        "",
        "a",
        "@b.example",
        "a@",
        "a@b@c",
        "a b@c.example",
        "a@b.ex\r\n",
        "a@b\rc",
        "a@b\nc",
        "a@b.ex,c@d.e",
        "<a@b.ex>",
        "a@b.ex>",
        "\"a\"@b.ex",
        "a@[::1]",
        "a(x)@b.ex",
        "a\t@b.ex",
        "a\x7f@b.e",
        "a;b@c.ex",
        "a@b\x01.ex",
        "\xc3\xa9@b",
        "a@b\xc3\xbc.exa",
        "a\\@b.ex",
        "x>\r\nRCPT TO:<victim@example.com",
    };
    char longest[256];
    apr_size_t i;

    for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
        tap_is_str(problem("", good[i], "x\r\n", 3), NULL, good[i]);
        tap_is_str(problem(good[i], "a@b.ex", "x\r\n", 3), NULL, "  and as a sender");
    }
    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        const char *says = problem("", bad[i], "x\r\n", 3);

        tap_ok(says && strstr(says, "recipient"), "refused recipient %d", (int)i);
        says = problem(bad[i], "a@b.ex", "x\r\n", 3);
        tap_ok(*bad[i] ? says && strstr(says, "sender") : !says, "  and as a sender");
    }
    memset(longest, 'a', sizeof(longest));
    longest[1] = '@';
    longest[255] = '\0';
    tap_ok(problem("", longest, "x\r\n", 3) != NULL, "255 octets are too many");
    longest[254] = '\0';
    tap_is_str(problem("", longest, "x\r\n", 3), NULL, "254 octets are not");
}

static void test_bodies(void)
{
    static const struct {
        const char *octets;
        apr_size_t length;
        const char *says;
    } cases[] = {
        {"x", 1, NULL},
        {"\r\n", 2, NULL},
        {"a: b\r\n\r\n.\r\n..\r\n", 15, NULL},
        {"", 0, "empty"},
        {"a\0b\r\n", 5, "NUL"},
        {"\nx", 2, "bare"},
        {"x\n.\r\nMAIL FROM:<>\r\n", 19, "bare"},
        {"x\r.\r\n", 5, "bare"},
        {"x\r", 2, "bare"},
        {"x\r\r\n", 4, "bare"},
        {"x\n\r\n", 4, "bare"},
    };
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *says = problem("", "a@b.ex", cases[i].octets, cases[i].length);

        tap_ok(cases[i].says ? says && strstr(says, cases[i].says) != NULL : !says, "body %d: %s",
               (int)i, cases[i].says ? cases[i].says : "fine");
    }
}

int main(void)
{
    apr_initialize();
    test_addresses();
    test_bodies();
    return tap_done();
}
