/* test_smtp_reply.c - relay replies: gathering, masking, and what they mean for a mail. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_smtp_reply.h"

#include "tap.h"

#include <apr_general.h>

static int add(hs_smtp_reply *reply, const char *line)
{
    return hs_smtp_reply_add(reply, line, strlen(line));
}

static void test_gathering(void)
{
    static const char *const nonsense[] = {"",      "5",   "25",     "nonsense", "150 x",
                                           "650 x", "25a", "250+ok", "2500x"};
    hs_smtp_reply reply = {0};
    int i;

    tap_is_int(add(&reply, "250 2.1.0 Ok\r\n"), 1, "a line is taken");
    tap_is_str(reply.text, "250 2.1.0 Ok", "  without its end");
    add(&reply, "550-5.1.1 The account\r\n");
    tap_is_int(reply.more, 1, "a line with a dash has a successor");
    tap_is_int(add(&reply, "250 exists\r\n"), 0, "  which has the same code");
    add(&reply, "550 does not exist\n");
    tap_is_str(reply.text, "550-5.1.1 The account does not exist", "lines are joined");
    tap_is_int(reply.more, 0, "and end");
    for (i = 0; i < (int)(sizeof(nonsense) / sizeof(*nonsense)); i++) {
        tap_ok(!add(&reply, nonsense[i]), "no reply line: \"%s\"", nonsense[i]);
    }
    tap_ok(!hs_smtp_reply_add(&reply, "250 a\0b", 7), "nor one with a NUL");
    tap_is_int(reply.code, 550, "nonsense changes nothing");
    add(&reply, "354\r\n");
    tap_is_str(reply.text, "354", "a reply without text");
    add(&reply, "250-\r\n");
    for (i = 0; i < 100; i++) {
        add(&reply, "250-0123456789\r\n");
    }
    tap_ok(reply.cut && reply.length == sizeof(reply.text) - 1 &&
               strlen(reply.text) == reply.length,
           "an endless reply is cut");
    add(&reply, "250 x\r\n");
    add(&reply, "250 y\r\n");
    tap_ok(!reply.cut && !strcmp(reply.text, "250 y"), "and the next one is whole");
}

static void test_classes(void)
{
    static const struct {
        const char *line;
        hs_smtp_stage stage;
        int answered;
        hs_smtp_class class;
    } cases[] = {
        {"554 5.7.1 go away", HS_SMTP_CONNECTING, 1, HS_SMTP_RELAY},
        {"", HS_SMTP_CONNECTING, 0, HS_SMTP_RELAY},
        {"", HS_SMTP_SENDER, 0, HS_SMTP_RELAY},
        {"530 5.7.0 log in first", HS_SMTP_SENDER, 1, HS_SMTP_RELAY},
        {"550 5.1.8 we don't know you", HS_SMTP_SENDER, 1, HS_SMTP_TEMPORARY},
        {"553 5.7.1 not your address", HS_SMTP_SENDER, 1, HS_SMTP_TEMPORARY},
        {"", HS_SMTP_ENVELOPE, 0, HS_SMTP_RELAY},
        {"", HS_SMTP_ENVELOPE, 1, HS_SMTP_RELAY},
        {"250 2.1.0 Ok", HS_SMTP_ENVELOPE, 0, HS_SMTP_TEMPORARY},
        {"250 2.1.0 Ok", HS_SMTP_ENVELOPE, 1, HS_SMTP_TEMPORARY},
        {"421 4.3.2 closing", HS_SMTP_ENVELOPE, 1, HS_SMTP_RELAY},
        {"421 4.3.2 closing", HS_SMTP_HANDED_OVER, 1, HS_SMTP_RELAY},
        {"530 5.7.0 Must issue STARTTLS", HS_SMTP_ENVELOPE, 1, HS_SMTP_RELAY},
        {"535 5.7.8 no", HS_SMTP_ENVELOPE, 1, HS_SMTP_RELAY},
        {"450 4.7.0 too many connections", HS_SMTP_ENVELOPE, 1, HS_SMTP_RELAY},
        {"450 4.2.0 greylisted", HS_SMTP_ENVELOPE, 1, HS_SMTP_TEMPORARY},
        {"451 4.3.0 later", HS_SMTP_HANDED_OVER, 1, HS_SMTP_TEMPORARY},
        {"552 mailbox full", HS_SMTP_ENVELOPE, 1, HS_SMTP_TEMPORARY},
        {"550 5.2.2 over quota", HS_SMTP_HANDED_OVER, 1, HS_SMTP_TEMPORARY},
        {"550 5.2.21 other", HS_SMTP_HANDED_OVER, 1, HS_SMTP_PERMANENT},
        {"550 5.1.1 no such user", HS_SMTP_ENVELOPE, 1, HS_SMTP_PERMANENT},
        {"554 5.7.1 spam", HS_SMTP_HANDED_OVER, 1, HS_SMTP_PERMANENT},
        {"354 go on", HS_SMTP_BODY, 0, HS_SMTP_TEMPORARY},
        {"354 go on", HS_SMTP_BODY, 1, HS_SMTP_TEMPORARY},
        {"354 go on", HS_SMTP_HANDED_OVER, 0, HS_SMTP_AMBIGUOUS},
        {"354 go on", HS_SMTP_HANDED_OVER, 1, HS_SMTP_AMBIGUOUS},
    };
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        hs_smtp_reply reply = {0};

        add(&reply, cases[i].line);
        tap_ok(hs_smtp_reply_classify(&reply, cases[i].stage, cases[i].answered) == cases[i].class,
               "class of \"%s\" at stage %d, %s", cases[i].line, cases[i].stage,
               cases[i].answered ? "answered" : "cut off");
        tap_is_int(hs_smtp_reply_is_policy(&reply), strstr(cases[i].line, " 5.7.") != NULL,
                   "  policy");
    }
}

static void test_masking(void)
{
    static const struct {
        const char *text;
        int is_cut;
        const char *want;
        const char *recipient;
    } cases[] = {
        {"550 5.1.1 <bob@example.com>: unknown", 0, "550 5.1.1 <(address)>: unknown", NULL},
        {"550 BOB@Example.com... User unknown", 0, "550 (address) User unknown", NULL},
        {"a@b.c,d@e.f (g@h.i) \"j@k.l\"", 0, "(address),(address) ((address)) \"(address)\"", NULL},
        {"no\tcontrol\x1b[2J or \xc3\xa9", 0, "no?control?[2J or ??", NULL},
        {"250 queued as bo", 1, "250 queued as ", NULL},
        {"", 0, "", "a@b.example"},
        {"550 no o'brien@example.com", 0, "550 no (address)", NULL},
        {"550 no 'bob@example.com'", 0, "550 no (address)", NULL},
        {"550 No such user jane.doe here", 0, "550 No such user (address) here",
         "jane.doe@example.com"},
        {"550 user=Jane.Doe. or jane.doe+x", 0, "550 (address) or (address)",
         "JANE.doe+tag@example.com"},
        {"550 it's O'Brien's", 0, "550 it's (address)", "o'brien@example.com"},
        {"550 janet and mary-jane", 0, "550 janet and (address)", "jane@example.com"},
        {"550 no +x or x", 0, "550 no (address) or x", "+x@example.com"},
    };
    char out[HS_SMTP_REPLY_SIZE];
    char endless[2 * HS_SMTP_REPLY_SIZE];
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        hs_smtp_reply_mask(out, cases[i].text, cases[i].is_cut, cases[i].recipient);
        tap_ok(!strcmp(out, cases[i].want), "%s", cases[i].want);
    }
    memset(endless, 'x', sizeof(endless));
    endless[sizeof(endless) - 1] = '\0';
    hs_smtp_reply_mask(out, endless, 0, NULL);
    tap_is_int((apr_int64_t)strlen(out), HS_SMTP_REPLY_SIZE - 1, "a long text is cut");
}

int main(void)
{
    apr_initialize();
    test_gathering();
    test_classes();
    test_masking();
    return tap_done();
}
