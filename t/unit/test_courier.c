/* test_courier.c - mails on their way from the outbox to a relay that behaves, or doesn't. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "courier_fixture.h"
#include "lost_commit.h"

static apr_pool_t *root;

static apr_array_header_t *rate(const station *s, int requests)
{
    apr_array_header_t *all = apr_array_make(s->pool, 1, sizeof(hs_rate));

    APR_ARRAY_PUSH(all, hs_rate) = (hs_rate){requests, apr_time_from_sec(3600), requests};
    return all;
}

static void test_delivery(void)
{
    station s;
    relay r;

    station_open(&s, root);
    relay_start(&s, &r, "", 0);
    (void)station_add_site(&s, SITE, r.port, "templates");
    s.opts.poll_us = apr_time_from_sec(600);
    station_start(&s);
    apr_sleep(300000);
    station_submit(&s, "jane@example.com", SITE);
    hs_courier_wake(s.courier);
    tap_ok(station_sends(&s, 1), "a mail is sent when woken");
    tap_is_str(station_sql(
                   &s, "SELECT detail || CASE WHEN message IS NULL THEN '1' ELSE '' END FROM mail"),
               "250 2.0.0 Ok: queued as 1-11", "its history shows the relay's reply");
    tap_is_int(relay_count(&s, &r, "mails.jsonl", "\"to\": [\"jane@example.com\"]"), 1,
               "to its recipient");
    tap_is_int(relay_count(&s, &r, "mails.jsonl", "\"from\": \"\""), 1, "from the null sender");
    tap_is_int(relay_count(&s, &r, "mails.jsonl", "Message-ID: <hs.1."), 1, "with its Message-ID");
    station_submit_many(&s, 60, SITE);
    hs_courier_wake(s.courier);
    tap_ok(station_sends(&s, 61), "many are");
    tap_is_int(relay_mails(&s, &r), 61, "once each");
    tap_ok(relay_count(&s, &r, "events.jsonl", "\"open\"") <= 4, "over four connections at most");
    tap_ok(station_stop(&s, 10000) < 1000, "an idle courier stops at once");
    tap_is_str(s.log, "", "with nothing to say");
    relay_stop(&s, &r);
    station_close(&s);
}

/* What two tries of one mail sent: equal octets. */
static int same_octets(const station *s, const relay *r)
{
    const char *first = strstr(relay_read(s, r, "mails.jsonl"), "\"data\": ");
    const char *end = first ? strstr(first, "\", \"reply\"") : NULL;
    const char *second = end ? strstr(end, "\"data\": ") : NULL;

    return second && end - first > 1000 && strncmp(first, second, (size_t)(end - first) + 10) == 0;
}

static void test_tries(void)
{
    station s;
    relay r;

    station_open(&s, root);
    relay_start(&s, &r,
                "dot 1 reply 451 4.3.0 Later please\n"
                "rcpt @nobody reply 550 5.1.1 <nobody@example.com> no such user\n"
                "rcpt @spam reply 550 5.7.1 Your relay is listed\n",
                0);
    (void)station_add_site(&s, SITE, r.port, "templates");
    s.opts.connections = 1;
    station_start(&s);
    station_submit(&s, "jane@example.com", SITE);
    tap_ok(station_comes_to(&s, "SELECT tries FROM mail", 1), "451: a try");
    tap_is_str(station_sql(&s, "SELECT state || ': ' || detail FROM mail"),
               "queued: the relay asks to try later: 451 4.3.0 Later please", "and again");
    tap_is_int(station_number(&s, apr_psprintf(s.pool,
                                               "SELECT count(*) FROM mail WHERE next_us - "
                                               "%" APR_TIME_T_FMT " BETWEEN 40000000 AND 76000000",
                                               apr_time_now())),
               1, "in a minute");
    station_sql(&s, "UPDATE ticket SET name = 'Another name'");
    station_sql(&s, "UPDATE mail SET next_us = 0");
    tap_ok(station_sends(&s, 1), "which works");
    tap_ok(same_octets(&s, &r), "with the same octets, whatever changed");
    station_submit(&s, "nobody@example.com", SITE);
    station_submit(&s, "spam@example.com", SITE);
    tap_ok(station_comes_to(&s, "SELECT count(*) FROM mail WHERE state = 'failed'", 2),
           "550: failed");
    tap_is_str(station_sql(&s, "SELECT detail FROM mail WHERE id = 2"),
               "refused: 550 5.1.1 <(address)> no such user",
               "with the reply, without the address");
    (void)station_stop(&s, 1000);
    tap_ok(station_has_logged(&s, "0: the relay refuses mail 3 by its policy"),
           "5.7.x alarms the administrator");
    tap_ok(station_has_logged(&s, "1: mail 2 was refused: 550 5.1.1 <(address)> no such user"),
           "another refusal warns");
    tap_ok(!strstr(s.log, "example.com"), "no address in the log");
    relay_stop(&s, &r);
    station_close(&s);
}

static void test_refused_sender(void)
{
    const char *line;
    station s;
    relay r;

    station_open(&s, root);
    relay_start(&s, &r, "mail * reply 550 5.7.1 Who are you\n", 0);
    (void)station_add_site(&s, SITE, r.port, "templates");
    s.opts.connections = 1;
    station_submit_many(&s, 5, SITE);
    station_start(&s);
    tap_ok(station_comes_to(&s, "SELECT sum(tries) FROM mail WHERE state = 'queued'", 5),
           "who refuses the sender fails no mail");
    tap_is_str(station_sql(&s, "SELECT detail FROM mail WHERE id = 5"),
               "the relay refuses the sender: 550 5.7.1 Who are you", "their histories say why");
    (void)station_stop(&s, 1000);
    tap_ok(station_has_logged(&s, "1: the relay refuses the sender of mail "), "a line tells so");
    line = strstr(s.log, "refuses the sender");
    tap_ok(line && !strstr(line + 1, "refuses the sender"), "once");
    relay_stop(&s, &r);
    station_close(&s);
}

static void test_unsendable(void)
{
    station s;
    relay r;
    hs_courier_site *site;

    station_open(&s, root);
    relay_start(&s, &r, "", 0);
    site = station_add_site(&s, SITE, r.port, "templates");
    site->limits.recipient = rate(&s, 2);
    site->limits.site = rate(&s, 5);
    station_submit(&s, "help+1@desk.example", SITE);
    station_submit(&s, "Support@Desk.example", SITE);
    station_submit(&s, "postmaster@example.com", SITE);
    station_submit(&s, "a@example.com", SITE);
    station_sql(&s, "UPDATE mail SET recipient = 'no address' WHERE id = 4");
    station_start(&s);
    tap_ok(station_comes_to(&s, "SELECT count(*) FROM mail WHERE state = 'suppressed'", 3),
           "own addresses and roles are suppressed");
    tap_is_str(station_sql(&s, "SELECT detail FROM mail WHERE id = 1"),
               "the recipient is this site's own address", "and the history says why");
    tap_is_str(station_sql(&s, "SELECT state || ': ' || detail FROM mail WHERE id = 4"),
               "failed: the mail can't be composed: bad To", "what can't be composed fails");
    station_sql(&s, "UPDATE mail SET passed_us = NULL");
    for (int i = 0; i < 3; i++) {
        station_submit(&s, "jane@example.com", SITE);
    }
    tap_ok(station_comes_to(&s,
                            "SELECT count(*) FROM mail WHERE detail = 'recipient limit' AND "
                            "state = 'suppressed'",
                            1),
           "the recipient's limit suppresses");
    station_submit_many(&s, 5, SITE);
    tap_ok(
        station_comes_to(&s, "SELECT count(*) FROM mail WHERE detail = 'waits: site limit'", 1) &&
            station_comes_to(&s, "SELECT count(*) FROM mail WHERE state = 'queued'", 2),
        "the site's lets wait");
    tap_ok(station_sends(&s, 5), "all others are sent");
    tap_is_int(relay_mails(&s, &r), 5, "and no more");
    (void)station_stop(&s, 1000);
    tap_ok(station_has_logged(&s, "1: mails of " SITE " wait: HelpSupportMailLimit site"),
           "and a line tells so");
    relay_stop(&s, &r);
    station_close(&s);
}

static void test_outage(void)
{
    station s;
    relay r;
    const char *events;

    station_open(&s, root);
    relay_start(&s, &r, "connect * reply 421 4.3.2 Not now; close\n", 0);
    (void)station_add_site(&s, SITE, r.port, "templates");
    station_submit_many(&s, 40, SITE);
    station_start(&s);
    tap_ok(station_comes_to(&s,
                            "SELECT count(*) FROM mail WHERE detail LIKE 'the relay can''t%'"
                            " AND state = 'queued' AND tries = 0 AND claims = 0",
                            4),
           "relay trouble costs no try, and only the first see it");
    apr_sleep(500000);
    relay_rules(&s, &r, "dot * wait 40\n");
    tap_ok(station_sends(&s, 40), "all are sent soon after it is over");
    tap_is_int(relay_mails(&s, &r), 40, "once each");
    tap_is_str(station_sql(&s, "SELECT sum(tries) FROM mail"), "0", "without a try lost");
    events = strstr(relay_read(&s, &r, "events.jsonl"), "220 scripted");
    tap_ok(events && strstr(events, "250 2.0.0 Ok: queued") < strstr(events + 1, "220 scripted"),
           "the second connection comes after the first mail");
    (void)station_stop(&s, 1000);
    tap_ok(station_has_logged(&s, "1: the mail relay smtp://127.0.0.1:"), "the log tells of it");
    tap_ok(station_has_logged(&s, "4.3.2 Not now"), "with the reply");
    tap_ok(station_has_logged(&s, "works again"), "and of its end");
    relay_stop(&s, &r);
    station_close(&s);
}

/* Until the store has given up, so that the courier itself tries once more. */
static void test_results_without_answer(void)
{
    station s;
    relay r;

    if (fixture_is("sqlite3")) {
        return; /* in this process, no answer is lost */
    }
    station_open(&s, root);
    relay_start(&s, &r, "dot 1 wait 300\n", 0);
    (void)station_add_site(&s, SITE, r.port, "templates");
    station_submit_many(&s, 1, SITE);
    station_start(&s);
    for (int i = 0; i < 1500 && !relay_count(&s, &r, "events.jsonl", "354 End"); i++) {
        apr_sleep(10000);
    }
    commits_without_answer = 10; /* TRIES_PASSING of hs_store_run.c */
    for (int i = 0; i < 1500 && commits_without_answer > 0; i++) {
        apr_sleep(10000);
    }
    tap_is_int(commits_without_answer, 0, "a result is stored, but no answer comes");
    station_submit_many(&s, 1, SITE);
    tap_ok(station_sends(&s, 2), "then all goes on");
    (void)station_stop(&s, 1000);
    tap_ok(station_has_logged(&s, "the mails' database"), "the log tells of the database");
    tap_ok(!strstr(s.log, "may go out twice"), "and blames no other sender");
    tap_is_int(relay_mails(&s, &r), 2, "each went out once");
    relay_stop(&s, &r);
    station_close(&s);
}

static void test_two_relays(void)
{
    station s;
    relay good;
    relay bad;

    station_open(&s, root);
    relay_start(&s, &good, "", 0);
    relay_start(&s, &bad, "connect * silent\n", 0);
    (void)station_add_site(&s, "bad.example", bad.port, "templates");
    (void)station_add_site(&s, SITE, good.port, "templates");
    station_submit_many(&s, 30, "bad.example");
    station_submit_many(&s, 30, SITE);
    station_submit_many(&s, 2, "unknown.example");
    station_sql(&s, "UPDATE mail SET next_us = next_us - 601000000 WHERE site = 'unknown.example'");
    station_start(&s);
    tap_ok(station_sends(&s, 30), "a relay that hangs doesn't keep another one's mails");
    tap_is_int(relay_mails(&s, &good), 30, "which all went there");
    tap_is_str(station_sql(&s, "SELECT state || claims FROM mail WHERE site = 'unknown.example'"),
               "queued0", "a site that nobody knows is left alone");
    tap_ok(station_has_logged(&s, "1: 2 mails of site unknown.example wait, but no server of this "
                                  "name sends mail here"),
           "and a line tells so");
    tap_ok(station_stop(&s, 100) < 2000, "what hangs is cut off");
    tap_is_str(station_sql(&s, "SELECT count(*) FROM mail WHERE state = 'sending'"), "0",
               "and given back");
    tap_is_str(station_sql(&s, "SELECT sum(tries) FROM mail"), "0", "without a try");
    relay_stop(&s, &good);
    relay_stop(&s, &bad);
    station_close(&s);
}

static void write_file(const station *s, const char *folder, const char *name, const char *text)
{
    FILE *file = fopen(apr_pstrcat(s->pool, folder, "/", name, NULL), "w");

    station_need(file && fputs(text, file) >= 0 && !fclose(file), "no template");
}

static void test_templates(void)
{
    static const char *const names[] = {"confirmation.subject", "confirmation.txt",
                                        "confirmation.html"};
    char folder[] = "/tmp/hs-templates-XXXXXX";
    station s;
    relay r;

    station_open(&s, root);
    relay_start(&s, &r, "", 0);
    station_need(mkdtemp(folder) != NULL, "no folder");
    write_file(&s, folder, names[0], "First {{ticket.number}}\n");
    write_file(&s, folder, names[1], "Hello.\n");
    write_file(&s, folder, names[2],
               "<!DOCTYPE html><html lang=\"en\"><title>x</title><p>Hello.</p></html>\n");
    (void)station_add_site(&s, SITE, r.port, folder);
    write_file(&s, folder, names[0], "Second {{ticket.nothing}} is wrong\n");
    station_submit(&s, "a@example.com", SITE);
    station_start(&s);
    tap_ok(station_sends(&s, 1), "a bad template keeps no mail");
    tap_is_int(relay_count(&s, &r, "mails.jsonl", "Subject: First 1"), 1, "the old one is used");
    tap_ok(station_has_logged(&s, "0: the old templates of " SITE " stay: ") &&
               station_has_logged(&s, "confirmation.subject:1:"),
           "a line tells where it is wrong");
    write_file(&s, folder, names[0], "Third {{ticket.number}}\n");
    apr_sleep(HS_CONFIRMATION_RECHECK_US + 100000);
    station_submit(&s, "b@example.com", SITE);
    tap_ok(station_sends(&s, 2), "and when it is right");
    tap_is_int(relay_count(&s, &r, "mails.jsonl", "Subject: Third 2"), 1, "it is used");
    (void)station_stop(&s, 1000);
    relay_stop(&s, &r);
    for (int i = 0; i < 3; i++) {
        apr_file_remove(apr_pstrcat(s.pool, folder, "/", names[i], NULL), s.pool);
    }
    apr_dir_remove(folder, s.pool);
    station_close(&s);
}

static void test_age(void)
{
    station s;
    relay r;

    station_open(&s, root);
    relay_start(&s, &r, "", 0);
    station_add_site(&s, SITE, r.port, "templates")->max_age_us = apr_time_from_sec(3600);
    station_submit_many(&s, 2, SITE);
    station_sql(&s, "UPDATE mail SET state_us = state_us - 3700000000 WHERE id = 1");
    station_start(&s);
    tap_ok(station_sends(&s, 1), "the young one is sent");
    tap_is_str(station_sql(&s, "SELECT state || ': ' || detail FROM mail WHERE id = 1"),
               "failed: given up after 1 hour", "the old one isn't");
    (void)station_stop(&s, 1000);
    tap_ok(station_has_logged(&s, "0: 1 mails of " SITE " are given up"), "and a line tells so");
    relay_stop(&s, &r);
    station_close(&s);
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&root, NULL);
    if (!fixture_worked(hs_smtp_init(root))) {
        return 1;
    }
    test_delivery();
    test_tries();
    test_refused_sender();
    test_unsendable();
    test_outage();
    test_results_without_answer();
    test_two_relays();
    test_templates();
    test_age();
    return tap_done();
}
