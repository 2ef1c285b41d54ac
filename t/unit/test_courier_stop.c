/* test_courier_stop.c - a courier that ends, is killed, or loses its database loses no mail. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "courier_fixture.h"

#include "hs_journal.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <signal.h>
#include <sys/wait.h>

static apr_pool_t *root;

#define LEASED "SELECT count(*) FROM mail WHERE state = 'sending' OR lease_token IS NOT NULL"

#define FAILED "SELECT count(*) FROM mail WHERE state = 'failed'"

static void wait_for_mails(const station *s, const relay *r, int want)
{
    for (int i = 0; i < 1000 && relay_mails(s, r) < want; i++) {
        apr_sleep(10000);
    }
}

static void test_drain(void)
{
    station s;
    relay r;

    station_open(&s, root);
    relay_start(&s, &r, "dot * wait 600\n", 0);
    (void)station_add_site(&s, SITE, r.port, "templates");
    station_submit_many(&s, 12, SITE);
    station_start(&s);
    wait_for_mails(&s, &r, 4);
    tap_ok(station_stop(&s, 10000) < 3000, "stops when the mails under way are through");
    tap_is_str(station_sql(&s, "SELECT count(*) FROM mail WHERE state = 'sent'"), "4",
               "which are stored as sent");
    tap_is_str(station_sql(&s, LEASED), "0", "the others are given back");
    tap_is_int(relay_mails(&s, &r), 4, "unsent");
    relay_stop(&s, &r);
    station_close(&s);
}

static void test_cut(void)
{
    station s;
    relay r;

    station_open(&s, root);
    relay_start(&s, &r, "dot * silent\n", 0);
    (void)station_add_site(&s, SITE, r.port, "templates");
    station_submit_many(&s, 12, SITE);
    station_start(&s);
    wait_for_mails(&s, &r, 4);
    tap_ok(station_stop(&s, 200) < 2500, "what hangs is cut off");
    tap_is_str(station_sql(&s, "SELECT count(*) FROM mail WHERE detail LIKE 'maybe delivered%' "
                               "AND tries = 1 AND next_us / 1000000 - unixepoch() > 590"),
               "4", "those four were maybe delivered");
    tap_is_str(station_sql(&s, LEASED), "0", "none is kept");
    tap_ok(station_has_logged(&s, "1: mail 1 was maybe delivered"), "a line tells of each");
    relay_stop(&s, &r);
    station_close(&s);
}

/* The stop comes while a great many mails are given up. */
static void test_stop_while_old(void)
{
    station s;

    station_open(&s, root);
    (void)station_add_site(&s, SITE, 1, "templates");
    station_submit(&s, "a@example.com", SITE);
    station_sql(&s, "UPDATE mail SET state_us = 1");
    station_sql(&s, "WITH RECURSIVE n(i) AS (VALUES(2) UNION ALL SELECT i + 1 FROM n "
                    "WHERE i < 40000) "
                    "INSERT INTO mail (ticket, kind, site, recipient, recipient_key, "
                    "recipient_domain, language, state, detail, state_us, created_us, next_us, "
                    "message_id) SELECT i, kind, site, recipient, recipient_key, "
                    "recipient_domain, language, state, detail, state_us, created_us, next_us, "
                    "message_id FROM mail, n");
    station_need(station_number(&s, "SELECT count(*) FROM mail") == 40000, "too few mails");
    station_start(&s);
    for (int i = 0; i < 1000 && !station_number(&s, FAILED); i++) {
        apr_sleep(1000);
    }
    (void)station_stop(&s, 1000);
    tap_ok(station_number(&s, FAILED) < 40000, "stops before the last old mail is given up");
    station_close(&s);
}

/* What a sender before this one left: two leased mails, one of them sent. */
static int leave_behind(const station *s, int fd)
{
    static const hs_mail_limits none;
    hs_claim claim = {.site = SITE, .max = 2, .lease_us = apr_time_from_sec(900), .limits = &none};
    apr_array_header_t *mails;
    hs_journal *journal;
    const hs_mail *mail;
    int parked;

    if (!fixture_worked(hs_journal_open(&journal, fd, s->pool))) {
        return 0;
    }
    claim.owner = apr_pstrcat(s->pool, "node:", hs_journal_owner(journal), NULL);
    if (!fixture_worked(hs_outbox_claim(s->db.store, &mails, &parked, &claim, s->pool)) ||
        mails->nelts != 2) {
        return 0;
    }
    mail = APR_ARRAY_IDX(mails, 1, const hs_mail *);
    hs_journal_note(journal, 17, mail->id, mail->lease, "250 2.0.0 Ok: queued as ABC");
    return 1;
}

static void test_recovery(void)
{
    char path[] = "/tmp/hs-journal-XXXXXX";
    hs_journal_entry entry;
    hs_journal *journal;
    station s;
    relay r;

    station_open(&s, root);
    relay_start(&s, &r, "", 0);
    (void)station_add_site(&s, SITE, r.port, "templates");
    s.opts.journal_fd = mkstemp(path);
    station_submit_many(&s, 2, SITE);
    tap_ok(leave_behind(&s, s.opts.journal_fd), "a sender died");
    station_start(&s);
    tap_ok(station_sends(&s, 2), "the next one takes over at once");
    tap_is_int(relay_mails(&s, &r), 1, "without sending again what was sent");
    tap_is_str(station_sql(&s, "SELECT detail FROM mail WHERE id = 2"),
               "250 2.0.0 Ok: queued as ABC", "whose reply is stored");
    (void)station_stop(&s, 1000);
    tap_ok(station_has_logged(&s, "1: 1 mails of a mail process that died are queued again"),
           "a line tells so");
    fixture_worked(hs_journal_open(&journal, s.opts.journal_fd, s.pool));
    tap_ok(!hs_journal_read(journal, 17, &entry), "the journal is empty again");
    relay_stop(&s, &r);
    station_close(&s);
    unlink(path);
}

/* Containers of one image may have all names in common, but not the disk. */
static void test_namesake(void)
{
    char path[] = "/tmp/hs-journal-XXXXXX";
    char other[] = "/tmp/hs-journal-XXXXXX";
    station s;
    relay r;

    station_open(&s, root);
    relay_start(&s, &r, "", 0);
    (void)station_add_site(&s, SITE, r.port, "templates");
    station_submit_many(&s, 2, SITE);
    tap_ok(leave_behind(&s, mkstemp(other)), "a node is sending two mails");
    s.opts.journal_fd = mkstemp(path);
    station_start(&s);
    station_submit(&s, "third@example.com", SITE);
    tap_ok(station_sends(&s, 1), "another one of the same name sends a third");
    tap_is_str(station_sql(&s, "SELECT count(*) FROM mail WHERE state = 'sending'"), "2",
               "and leaves those two alone");
    (void)station_stop(&s, 1000);
    relay_stop(&s, &r);
    station_close(&s);
    unlink(path);
    unlink(other);
}

/* The database is locked by somebody else while mails are under way. */
static void test_locked(void)
{
    sqlite3 *db = NULL;
    station s;
    relay r;

    station_open(&s, root);
    s.db.opts.timeout_us = apr_time_from_msec(300);
    relay_start(&s, &r, "dot * wait 300\n", 0);
    (void)station_add_site(&s, SITE, r.port, "templates");
    station_submit_many(&s, 4, SITE);
    station_start(&s);
    wait_for_mails(&s, &r, 4);
    tap_ok(sqlite3_open(s.db.file, &db) == SQLITE_OK &&
               sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK,
           "the database is locked");
    apr_sleep(3000000);
    tap_is_str(station_sql(&s, "SELECT count(*) FROM mail WHERE state = 'sending'"), "4",
               "no result can be stored");
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(db);
    tap_ok(station_sends(&s, 4), "then all are");
    tap_is_int(relay_mails(&s, &r), 4, "and none is sent twice");
    (void)station_stop(&s, 1000);
    tap_ok(station_has_logged(&s, "0: the mails' database: "), "a line tells so");
    relay_stop(&s, &r);
    station_close(&s);
}

/* A courier in a process of its own, that lives until it is killed. */
static pid_t run_child(station *s)
{
    pid_t pid = fork();

    if (pid == 0) {
        if (fixture_worked(hs_store_create(&s->db.store, &s->db.opts, NULL, NULL, s->pool))) {
            station_start(s);
            pthread_join(s->thread, NULL);
        }
        _exit(1);
    }
    return pid;
}

static void test_kills(void)
{
    char path[] = "/tmp/hs-journal-XXXXXX";
    int kills = 0;
    int again;
    station s;
    relay r;

    station_open(&s, root);
    relay_start(&s, &r, "", 0);
    (void)station_add_site(&s, SITE, r.port, "templates");
    s.opts.journal_fd = mkstemp(path);
    station_submit_many(&s, 400, SITE);
    while (kills < 100 && station_number(&s, "SELECT count(*) FROM mail "
                                             "WHERE state IN ('queued', 'sending')") > 0) {
        pid_t pid = run_child(&s);

        apr_sleep(15000 + kills * 7919 % 30000);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        kills++;
        /* a busy machine may kill one mail's sender so often that the mail is parked for it */
        station_sql(&s, "UPDATE mail SET claims = 0");
    }
    tap_ok(kills > 5, "%d senders were killed", kills);
    station_start(&s);
    tap_ok(station_sends(&s, 400), "every mail is sent");
    (void)station_stop(&s, 1000);
    again = relay_mails(&s, &r) - 400;
    tap_ok(again >= 0 && again <= kills, "%d of them twice", again);
    relay_stop(&s, &r);
    station_close(&s);
    unlink(path);
}

static void test_no_database(void)
{
    station s;

    station_open(&s, root);
    s.db.opts.params = "/nonexistent/tickets.db";
    s.db.opts.timeout_us = 10000;
    fixture_worked(hs_store_create(&s.db.store, &s.db.opts, NULL, NULL, s.pool));
    (void)station_add_site(&s, SITE, 1, "templates");
    station_start(&s);
    apr_sleep(300000);
    tap_ok(station_stop(&s, 10000) < 1000, "without a database it stops at once");
    tap_ok(station_has_logged(&s, "0: the mails' database: "), "and had said so");
    station_close(&s);
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&root, NULL);
    if (!fixture_worked(hs_smtp_init(root))) {
        return 1;
    }
    test_kills(); /* first: it forks, and there must be no other thread yet */
    test_drain();
    test_cut();
    test_stop_while_old();
    test_recovery();
    test_namesake();
    test_locked();
    test_no_database();
    return tap_done();
}
