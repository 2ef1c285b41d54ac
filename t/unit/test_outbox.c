/* test_outbox.c - leases, results, limits and ages of the mails that wait. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_outbox.h"

#include "lost_commit.h"
#include "store_fixture.h"

#include "hs_sql.h"
#include "hs_store_int.h"

#define SITE "www.example.com"

static int writes_without_answer;

/* The same for a prepared statement, which is its own transaction. */
__attribute__((visibility("default"))) int
apr_dbd_pbquery(const apr_dbd_driver_t *driver, apr_pool_t *pool, apr_dbd_t *handle, int *changed,
                apr_dbd_prepared_t *statement, const void **values)
{
    __typeof__(&apr_dbd_pbquery) real;
    void *symbol = dlsym(RTLD_NEXT, "apr_dbd_pbquery");
    int status;

    memcpy(&real, &symbol, sizeof(real));
    status = real(driver, pool, handle, changed, statement, values);
    if (status == 0 && writes_without_answer > 0) {
        writes_without_answer--;
        return 2013;
    }
    return status;
}

static const hs_mail_limits no_limits;

/* Beside the program, as time would: one statement. */
static void alter(const fixture *f, const char *sql)
{
    if (!fixture_does(f, sql)) {
        fixture_bail_out(sql);
    }
}

/* The first value of a query, or "". */
static const char *ask(const fixture *f, const char *sql)
{
    return fixture_ask(f, sql);
}

static void submit(const fixture *f, const char *email, const char *site)
{
    hs_submit *what = fixture_submission("user", f->pool);
    int replayed;

    what->ticket->email = email;
    what->site = site;
    if (!fixture_worked(hs_store_submit(f->store, what, &replayed, f->pool))) {
        fixture_bail_out("the database can't be used");
    }
}

static hs_claim usual_claim(int max)
{
    return (hs_claim){.site = SITE,
                      .owner = "node",
                      .max = max,
                      .lease_us = apr_time_from_sec(900),
                      .limits = &no_limits};
}

static apr_array_header_t *claim(const fixture *f, const hs_claim *what)
{
    apr_array_header_t *mails;
    int parked;

    if (!fixture_worked(hs_outbox_claim(f->store, &mails, &parked, what, f->pool))) {
        fixture_bail_out("the database can't be used");
    }
    return mails;
}

static apr_array_header_t *claim_some(const fixture *f, int max)
{
    hs_claim what = usual_claim(max);

    return claim(f, &what);
}

static hs_mail *nth(const apr_array_header_t *mails, int i)
{
    if (i >= mails->nelts) {
        fixture_bail_out("a claim that must give a mail gives none");
    }
    return APR_ARRAY_IDX(mails, i, hs_mail *);
}

/* Returns how many leases were lost. */
static int finish(const fixture *f, const hs_mail *mail, const hs_mail_result *result)
{
    apr_array_header_t *results = apr_array_make(f->pool, 1, sizeof(hs_mail_result));
    hs_mail_result *all = apr_array_push(results);
    int lost = -1;

    *all = *result;
    all->id = mail->id;
    all->lease = mail->lease;
    fixture_worked(hs_outbox_finish(f->store, results, &lost, f->pool));
    return lost;
}

static int finish_as(const fixture *f, const hs_mail *mail, const char *state)
{
    hs_mail_result result = {.state = state, .detail = "so it is"};

    return finish(f, mail, &result);
}

static hs_error *keep(const fixture *f, hs_mail *mail, const char *octets)
{
    apr_array_header_t *mails = apr_array_make(f->pool, 1, sizeof(hs_mail *));

    mail->message = octets;
    APR_ARRAY_PUSH(mails, hs_mail *) = mail;
    return hs_outbox_keep(f->store, mails, f->pool);
}

static int due_count(const fixture *f)
{
    static const char *const names[] = {"other", SITE, "third"};
    apr_array_header_t *sites = apr_array_make(f->pool, 3, sizeof(const char *));
    apr_array_header_t *due;

    for (int i = 0; i < 3; i++) {
        APR_ARRAY_PUSH(sites, const char *) = names[i];
    }
    if (!fixture_worked(hs_outbox_due(f->store, &due, sites, f->pool))) {
        fixture_bail_out("the database can't be used");
    }
    return due->nelts;
}

static void test_claim(fixture *f)
{
    apr_array_header_t *mails;
    hs_mail *mail;

    tap_is_int(due_count(f), 0, "nothing is due at first");
    submit(f, "Jane+help@example.com", SITE);
    submit(f, "b@example.com", "other");
    tap_is_int(due_count(f), 2, "two sites have mail");
    mails = claim_some(f, 10);
    tap_is_int(mails->nelts, 1, "one site's mails are claimed, no other's");
    mail = nth(mails, 0);
    tap_is_str(mail->recipient, "Jane+help@example.com", "recipient as written");
    tap_is_str(mail->kind, "confirmation", "kind");
    tap_is_str(mail->site, SITE, "site");
    tap_is_str(mail->language, "en", "language");
    tap_is_str(mail->message, NULL, "not composed yet");
    tap_is_int(mail->tries, 0, "no tries");
    tap_is_int(mail->over_limit, HS_OVER_NONE, "no limit");
    tap_ok(strncmp(mail->message_id, "hs.1.", 5) == 0 && strstr(mail->message_id, "@" SITE) &&
               strlen(mail->message_id) == 5 + 16 + 1 + strlen(SITE),
           "Message-ID: %s", mail->message_id);
    tap_is_int(mail->ticket->number, 1, "the ticket's number");
    tap_is_str(mail->ticket->name, "Jane Doe", "its name");
    tap_is_str(mail->ticket->email, "Jane+help@example.com", "its address");
    tap_is_str(mail->ticket->message,
               "I'm having \"trouble\" connecting\nmy database \\ caf\xc3\xa9.", "its message");
    tap_is_int((apr_int64_t)strlen(mail->ticket->id), 36, "its id");
    tap_ok(mail->ticket->created_us > 0, "its time");
    tap_is_int(claim_some(f, 10)->nelts, 0, "nobody else gets it");
    tap_is_int(due_count(f), 1, "it is not due");
    tap_is_str(ask(f, "SELECT detail || state FROM mail WHERE id = 1"), "sending",
               "it is being sent");
}

static void test_order(fixture *f)
{
    apr_array_header_t *mails;

    for (int i = 0; i < 5; i++) {
        submit(f, apr_psprintf(f->pool, "user%d@example.com", i), SITE);
    }
    alter(f, "UPDATE mail SET next_us = next_us - 1000000000 WHERE id = 4");
    mails = claim_some(f, 2);
    tap_is_int(mails->nelts, 2, "no more than asked for");
    tap_ok(nth(mails, 0)->id == 1 && nth(mails, 1)->id == 4, "what waited longest, by id");
    tap_is_str(nth(mails, 0)->lease, nth(mails, 1)->lease, "one lease for a claim");
    tap_is_int(claim_some(f, 10)->nelts, 3, "the rest");
}

static void test_keep(fixture *f)
{
    hs_mail_result again = {.state = "queued", .detail = "later", .counts_as_try = 1};
    hs_error *error;
    hs_mail *mail;
    hs_mail *next;

    submit(f, "a@example.com", SITE);
    mail = nth(claim_some(f, 1), 0);
    tap_ok(fixture_worked(keep(f, mail, "Subject: x\r\n\r\n\"\\.\r\n")), "octets are kept");
    error = keep(f, mail, "other");
    tap_ok(error && error->code == HS_STALE, "once");
    tap_is_int(finish(f, mail, &again), 0, "queued again");
    next = nth(claim_some(f, 1), 0);
    tap_is_str(next->message, "Subject: x\r\n\r\n\"\\.\r\n", "the next claim gets the same octets");
    tap_is_int(next->tries, 1, "and the number of tries");
    error = keep(f, mail, "other");
    tap_ok(error && error->code == HS_STALE, "who lost the lease can't keep");
    tap_is_int(finish_as(f, mail, "failed"), 1, "or finish");
    tap_is_int(finish_as(f, next, "sent"), 0, "its owner can");
    tap_is_str(ask(f, "SELECT state || '' || detail FROM mail "
                      "WHERE message IS NULL AND lease_token IS NULL"),
               "sentso it is", "sent, and its octets are gone");
    tap_is_int(finish_as(f, next, "failed"), 1, "but once");
}

static void test_delay(fixture *f)
{
    hs_mail_result later = {.state = "queued", .detail = "", .delay_us = apr_time_from_sec(60)};
    const char *since;
    hs_mail *mail;

    submit(f, "a@example.com", SITE);
    since = ask(f, "SELECT state_us FROM mail");
    mail = nth(claim_some(f, 1), 0);
    (void)finish(f, mail, &later);
    tap_is_int(claim_some(f, 1)->nelts, 0, "a delayed mail is not due");
    tap_is_str(ask(f, apr_psprintf(f->pool,
                                   "SELECT '' || tries || state FROM mail "
                                   "WHERE abs(next_us - 60000000 - %" APR_INT64_T_FMT ") < 5000000",
                                   apr_time_now())),
               "0queued", "until its time, and that was no try");
    tap_is_str(ask(f, "SELECT state_us FROM mail"), since, "it is queued since it came");
    alter(f, "UPDATE mail SET next_us = 0");
    tap_is_int(claim_some(f, 1)->nelts, 1, "then it is due");
}

static void test_leases(fixture *f)
{
    hs_claim what = usual_claim(10);
    hs_mail *first;
    hs_mail *second;
    int count;

    submit(f, "a@example.com", SITE);
    what.lease_us = 1;
    first = nth(claim(f, &what), 0);
    apr_sleep(1000);
    what.owner = "other node";
    what.lease_us = apr_time_from_sec(900);
    second = nth(claim(f, &what), 0);
    tap_is_int(second->id, first->id, "a lease that ran out is given to the next");
    tap_is_int(finish_as(f, first, "sent"), 1, "the first has lost it");
    tap_ok(fixture_worked(hs_outbox_release(f->store, "node", &count, f->pool)) && count == 0,
           "another owner's lease is not released");
    tap_ok(fixture_worked(hs_outbox_release(f->store, "other node", &count, f->pool)) && count == 1,
           "its own is");
    tap_is_int(finish_as(f, second, "sent"), 1, "and is lost");
    tap_is_str(ask(f, "SELECT state || '' || claims FROM mail"), "queued2", "but the claims count");
}

static void test_finish_together(fixture *f)
{
    static const hs_mail_result ends[] = {
        {.state = "sent", .detail = "250 \"ok\""},
        {.state = "queued", .detail = "451", .delay_us = 60000000, .counts_as_try = 1},
        {.state = "queued", .detail = ""},
        {.state = "failed", .detail = "550"},
        {.state = "sent", .detail = "nobody's"}};
    apr_array_header_t *results = apr_array_make(f->pool, 5, sizeof(hs_mail_result));
    apr_array_header_t *mails;
    int lost = -1;

    for (int i = 0; i < 5; i++) {
        submit(f, "jane@example.com", SITE);
    }
    mails = claim_some(f, 5);
    for (int i = 0; i < 5; i++) {
        hs_mail_result *result = apr_array_push(results);

        (void)keep(f, nth(mails, i), "octets");
        *result = ends[i];
        result->id = nth(mails, i)->id;
        result->lease = i < 4 ? nth(mails, i)->lease : "another's";
    }
    tap_ok(fixture_worked(hs_outbox_finish(f->store, results, &lost, f->pool)) && lost == 1,
           "of a group, the lease of one was lost");
    for (int i = 0; i < 5; i++) {
        static const char *const wanted[] = {"sent,250 \"ok\",0,0,0,1", "queued,451,1,1,0,0",
                                             "queued,,0,1,0,0", "failed,550,0,1,0,1",
                                             "sending,,0,1,1,0"};

        tap_is_str(ask(f, apr_psprintf(
                              f->pool,
                              "SELECT state || ',' || detail || ',' || tries || ',' || "
                              "CASE WHEN message IS NULL THEN 0 ELSE 1 END || ',' || claims || ','"
                              " || CASE WHEN state_us > created_us THEN 1 ELSE 0 END "
                              "FROM mail WHERE id = %d",
                              i + 1)),
                   wanted[i], "each mail has its own end");
    }
    tap_is_str(ask(f, "SELECT id FROM mail WHERE next_us - 50000000 > "
                      "(SELECT max(state_us) FROM mail) AND state = 'queued'"),
               "2", "the delayed one is due later");
}

static apr_array_header_t *rates(const fixture *f, int requests, int seconds)
{
    apr_array_header_t *all = apr_array_make(f->pool, 2, sizeof(hs_rate));

    APR_ARRAY_PUSH(all, hs_rate) = (hs_rate){1000, apr_time_from_sec(10), 1000};
    APR_ARRAY_PUSH(all, hs_rate) = (hs_rate){requests, apr_time_from_sec(seconds), requests};
    return all;
}

/* The connection breaks before COMMIT's answer: a server may have committed, and the next try must
 * find that. */
static void test_lost_answers(fixture *f)
{
    hs_mail_limits limits = {.recipient = rates(f, 2, 3600)};
    hs_claim what = usual_claim(10);
    apr_array_header_t *mails;
    hs_mail_result again = {.state = "queued", .detail = "later", .counts_as_try = 1};

    if (fixture_is("sqlite3")) {
        return; /* in this process, no answer is lost */
    }
    what.limits = &limits;
    for (int i = 0; i < 3; i++) {
        submit(f, "jane@example.com", SITE);
    }
    commits_without_answer = 1;
    mails = claim(f, &what);
    tap_is_int(mails->nelts, 3, "a claim whose COMMIT had no answer has its mails");
    tap_ok(!nth(mails, 0)->over_limit && !nth(mails, 1)->over_limit && nth(mails, 2)->over_limit,
           "each of them counted once");
    tap_is_int(commits_without_answer, 0, "the answer was lost");
    commits_without_answer = 1;
    tap_is_int(finish_as(f, nth(mails, 0), "sent"), 0, "no lease was lost where an answer was");
    commits_without_answer = 1;
    tap_is_int(finish(f, nth(mails, 1), &again), 0, "nor of a mail that is sent again");
    tap_is_str(ask(f, "SELECT tries FROM mail WHERE id = 2"), "1", "which counts as one try");
    commits_without_answer = 1;
    tap_is_int(finish_as(f, nth(mails, 0), "sent"), 1, "but one that was lost before counts");
}

static void test_retry_without_answer(fixture *f)
{
    hs_error *error;

    if (fixture_is("sqlite3")) {
        return;
    }
    submit(f, "jane@example.com", SITE);
    (void)finish_as(f, nth(claim_some(f, 1), 0), "failed");
    writes_without_answer = 1;
    error = hs_outbox_retry(f->store, 1, f->pool);
    tap_is_int(writes_without_answer, 0, "the answer to a retry was lost");
    tap_ok(error && error->code == HS_OUTCOME_UNKNOWN, "it doesn't say that there was no mail");
    tap_is_str(ask(f, "SELECT state FROM mail"), "queued", "which is queued");
}

static void die(const fixture *f)
{
    int count;

    fixture_worked(hs_outbox_release(f->store, "node", &count, f->pool));
}

static void test_poison(fixture *f)
{
    hs_claim suspects = usual_claim(1);
    apr_array_header_t *mails;
    int parked = -1;

    suspects.suspects = 1;
    submit(f, "a@example.com", SITE);
    submit(f, "b@example.com", SITE);
    tap_is_int(claim(f, &suspects)->nelts, 0, "nobody is suspect at first");
    for (int i = 0; i < 2; i++) {
        tap_is_int(claim_some(f, 10)->nelts, 2, "claimed with others");
        die(f);
    }
    tap_is_int(claim_some(f, 10)->nelts, 0, "after two deaths no longer");
    mails = claim(f, &suspects);
    tap_is_int(mails->nelts, 1, "but alone");
    tap_is_int(finish_as(f, nth(mails, 0), "sent"), 0, "the innocent one gets through");
    for (int i = 2; i < 5; i++) {
        tap_is_int(claim(f, &suspects)->nelts, 1, "the other one is tried again");
        die(f);
    }
    fixture_worked(hs_outbox_claim(f->store, &mails, &parked, &suspects, f->pool));
    tap_ok(parked == 1 && mails->nelts == 0, "five times");
    tap_is_str(ask(f, "SELECT state || '' || claims FROM mail WHERE id = 2"), "failed0",
               "then it failed");
}

/* What limits make of the next mails: "-" none, "r", "d", "s". */
static const char *claim_limited(const fixture *f, const hs_mail_limits *limits)
{
    hs_claim what = usual_claim(20);
    char *text = apr_pcalloc(f->pool, 32);
    apr_array_header_t *mails;

    what.limits = limits;
    mails = claim(f, &what);
    for (int i = 0; i < mails->nelts; i++) {
        text[i] = "-rds"[nth(mails, i)->over_limit];
    }
    return text;
}

static void test_recipient_limit(fixture *f)
{
    hs_mail_limits limits = {.recipient = rates(f, 2, 3600)};

    submit(f, "jane@example.com", SITE);
    submit(f, "JANE+1@Example.com", SITE);
    submit(f, "jane+2@example.com", SITE);
    submit(f, "john@example.com", SITE);
    tap_is_str(claim_limited(f, &limits), "--r-", "recipient, without tag or case, in a claim");
    die(f);
    tap_is_str(claim_limited(f, &limits), "--r-", "what passed doesn't count twice");
    submit(f, "jane@example.com", SITE);
    submit(f, "john@example.com", SITE);
    tap_is_str(claim_limited(f, &limits), "r-", "and from claim to claim");
    alter(f, "UPDATE mail SET created_us = created_us - 3600000000");
    submit(f, "jane@example.com", SITE);
    tap_is_str(claim_limited(f, &limits), "-", "until the period is over");
}

/* Nobody may lose a mail because a relay was down and all go out at once. */
static void test_recipient_after_outage(fixture *f)
{
    hs_mail_limits limits = {.recipient = rates(f, 2, 3600)};

    for (int i = 0; i < 6; i++) {
        submit(f, "jane@example.com", SITE);
    }
    alter(f, "UPDATE ticket SET created_us = created_us - (6 - number) * 1500000000");
    alter(f, "UPDATE mail SET created_us = created_us - (6 - id) * 1500000000");
    tap_is_str(claim_limited(f, &limits), "--r--r", "three an hour, submitted one by one");
    for (int i = 0; i < 3; i++) {
        submit(f, "john@example.com", SITE);
    }
    alter(f, "UPDATE ticket SET created_us = created_us - (9 - number) * 1900000000 "
             "WHERE number > 6");
    alter(f, "UPDATE mail SET created_us = created_us - (9 - id) * 1900000000 WHERE id > 6");
    alter(f, "UPDATE mail SET next_us = next_us + 1800000000 WHERE id = 9");
    tap_is_str(claim_limited(f, &limits), "--", "two an hour");
    alter(f, "UPDATE mail SET next_us = 0 WHERE id = 9");
    tap_is_str(claim_limited(f, &limits), "-", "whatever passed just now");
}

static void test_other_limits(fixture *f)
{
    hs_mail_limits limits = {.domain = rates(f, 2, 3600), .site = rates(f, 4, 3600)};

    for (int i = 0; i < 3; i++) {
        submit(f, apr_psprintf(f->pool, "u%d@example.com", i), SITE);
    }
    for (int i = 0; i < 3; i++) {
        submit(f, apr_psprintf(f->pool, "u%d@d%d.example.com", i, i), SITE);
    }
    tap_is_str(claim_limited(f, &limits), "--d--s", "domain and site");
    limits.domain = apr_array_make(f->pool, 1, sizeof(hs_rate));
    limits.site = NULL;
    die(f);
    tap_is_str(claim_limited(f, &limits), "------", "off");
}

/* Two nodes take turns. */
static void test_site_limit(fixture *f)
{
    hs_mail_limits limits = {.site = rates(f, 24, 3600)};
    hs_claim what = usual_claim(5);
    int passed = 0;

    what.limits = &limits;
    for (int i = 0; i < 40; i++) {
        submit(f, apr_psprintf(f->pool, "u%d@example.com", i), SITE);
    }
    for (int i = 0; i < 8; i++) {
        apr_array_header_t *mails;

        what.owner = i % 2 ? "node" : "other node";
        mails = claim(f, &what);
        for (int k = 0; k < mails->nelts; k++) {
            passed += !nth(mails, k)->over_limit;
        }
    }
    tap_is_int(passed, 24, "a site's limit is exact, over all nodes");
    alter(f, "UPDATE mail SET passed_us = passed_us - 3600000000 WHERE id <= 3");
    submit(f, "jane@example.com", SITE);
    tap_is_str(claim_limited(f, &limits), "-", "and at any time");
}

static void test_expire(fixture *f)
{
    hs_mail *mail;
    int count;

    submit(f, "a@example.com", SITE);
    submit(f, "b@example.com", SITE);
    submit(f, "c@example.com", "other");
    mail = nth(claim_some(f, 1), 0);
    alter(f, "UPDATE mail SET state_us = state_us - 7200000000");
    tap_ok(fixture_worked(
               hs_outbox_expire(f->store, SITE, apr_time_from_sec(10800), &count, f->pool)) &&
               count == 0,
           "nothing is too old");
    alter(f, "UPDATE mail SET detail = 'the relay asks to try later: 451 no'");
    tap_ok(fixture_worked(
               hs_outbox_expire(f->store, SITE, apr_time_from_sec(3600), &count, f->pool)) &&
               count == 1,
           "what is too old fails");
    tap_is_str(ask(f, "SELECT state || ': ' || detail FROM mail WHERE id = 2"),
               "failed: given up after 1 hour; last: the relay asks to try later: 451 no",
               "and says why");
    alter(f, "UPDATE mail SET state = 'queued', detail = '', state_us = 1 WHERE id = 2");
    tap_ok(
        fixture_worked(hs_outbox_expire(f->store, SITE, apr_time_from_sec(5400), &count, f->pool)),
        "in minutes");
    tap_is_str(ask(f, "SELECT detail FROM mail WHERE id = 2"), "given up after 90 minutes",
               "where it isn't whole hours");
    tap_is_str(ask(f, "SELECT state FROM mail WHERE id = 1"), "sending", "not what is being sent");
    tap_is_str(ask(f, "SELECT state FROM mail WHERE id = 3"), "queued", "nor another site's");
    tap_is_int(finish_as(f, mail, "sent"), 0, "which goes on");
}

/* "site: count" of each; `idle_s`: of hs_outbox_strays. */
static const char *strays(const fixture *f, int idle_s)
{
    apr_array_header_t *known = apr_array_make(f->pool, 2, sizeof(const char *));
    apr_array_header_t *all;
    const char *text = "";

    APR_ARRAY_PUSH(known, const char *) = SITE;
    APR_ARRAY_PUSH(known, const char *) = "b";
    if (!fixture_worked(
            hs_outbox_strays(f->store, &all, known, apr_time_from_sec(idle_s), f->pool))) {
        fixture_bail_out("the database can't be used");
    }
    for (int i = 0; i < all->nelts; i++) {
        const hs_stray *stray = &APR_ARRAY_IDX(all, i, hs_stray);

        text = apr_psprintf(f->pool, "%s%s: %d;", text, stray->site, (int)stray->count);
    }
    return text;
}

static void test_strays(fixture *f)
{
    static const char *const sites[] = {"a", "b", "c", "a", SITE, "zz", "zz"};
    hs_claim what = usual_claim(1);

    tap_is_str(strays(f, 0), "", "no mails, no strays");
    for (int i = 0; i < 7; i++) {
        submit(f, "jane@example.com", sites[i]);
    }
    tap_is_str(strays(f, 600), "", "new mails are no strays");
    tap_is_str(strays(f, 0), "a: 2;c: 1;zz: 2;", "old ones are, of each site that isn't known");
    alter(f, "UPDATE mail SET next_us = next_us - 700000000");
    tap_is_str(strays(f, 600), "a: 2;c: 1;zz: 2;", "when nobody has come for them");
    what.site = "zz";
    (void)claim(f, &what);
    tap_is_str(strays(f, 600), "a: 2;c: 1;", "not those of a site that is being sent for");
    what.site = "c";
    (void)finish_as(f, nth(claim(f, &what), 0), "sent");
    tap_is_str(strays(f, 0), "a: 2;", "nor what is sent");
}

static void test_purge(fixture *f)
{
    static const char *const states[] = {"sent", "suppressed", "failed", "queued"};
    apr_array_header_t *mails;
    int count;

    for (int i = 0; i < 4; i++) {
        submit(f, "jane@example.com", SITE);
    }
    mails = claim_some(f, 4);
    for (int i = 0; i < 4; i++) {
        finish_as(f, nth(mails, i), states[i]);
    }
    alter(f, "UPDATE mail SET state_us = state_us - 6 * 86400000000, passed_us = 1");
    tap_ok(fixture_worked(hs_outbox_purge(f->store, 0, &count, f->pool)) && count == 0,
           "six days are kept");
    alter(f, "UPDATE mail SET state_us = state_us - 2 * 86400000000");
    tap_ok(
        fixture_worked(hs_outbox_purge(f->store, apr_time_from_sec(10 * 86400), &count, f->pool)) &&
            count == 0,
        "and what limits count");
    tap_ok(fixture_worked(hs_outbox_purge(f->store, 0, &count, f->pool)) && count == 2,
           "sent and suppressed are purged after a week");
    tap_is_str(ask(f, "SELECT min(state) || ',' || max(state) || ',' || count(*) "
                      "FROM mail WHERE recipient = '' AND passed_us IS NULL"),
               "sent,suppressed,2", "of what is personal");
    alter(f, "UPDATE mail SET state_us = state_us - 30 * 86400000000");
    tap_ok(fixture_worked(hs_outbox_purge(f->store, 0, &count, f->pool)) && count == 1,
           "failed after a month");
    tap_is_str(ask(f, "SELECT recipient FROM mail WHERE id = 4"), "jane@example.com",
               "what waits never");
    tap_ok(fixture_worked(hs_outbox_purge(f->store, 0, &count, f->pool)) && count == 0, "once");
}

static void test_admin(fixture *f)
{
    apr_array_header_t *rows;
    apr_array_header_t *mails;
    hs_mail_row *row;
    hs_error *error;

    for (int i = 0; i < 4; i++) {
        submit(f, apr_psprintf(f->pool, "u%d@example.com", i), SITE);
    }
    mails = claim_some(f, 3);
    (void)finish_as(f, nth(mails, 0), "sent");
    (void)finish_as(f, nth(mails, 1), "failed");
    tap_ok(fixture_worked(hs_outbox_list(f->store, &rows, NULL, 10, f->pool)) && rows->nelts == 3,
           "all but the sent one");
    row = APR_ARRAY_IDX(rows, 2, hs_mail_row *);
    tap_ok(row->id == 2 && row->ticket_number == 2 && row->tries == 0 && row->created_us > 0 &&
               row->state_us >= row->created_us,
           "newest first");
    tap_is_str(row->state, "failed", "state");
    tap_is_str(row->detail, "so it is", "detail");
    tap_is_str(row->recipient, "u1@example.com", "recipient");
    tap_is_str(row->site, SITE, "site");
    tap_is_str(APR_ARRAY_IDX(rows, 1, hs_mail_row *)->state, "queued", "sending is queued");
    tap_ok(fixture_worked(hs_outbox_list(f->store, &rows, "queued", 10, f->pool)) &&
               rows->nelts == 2,
           "by state");
    tap_ok(fixture_worked(hs_outbox_list(f->store, &rows, "sent", 10, f->pool)) && rows->nelts == 1,
           "sent if asked for");
    tap_ok(fixture_worked(hs_outbox_list(f->store, &rows, NULL, 2, f->pool)) && rows->nelts == 2,
           "no more than asked for");
    alter(f, "UPDATE mail SET tries = 3, state_us = 1, created_us = 1 WHERE id = 2");
    tap_ok(fixture_worked(hs_outbox_retry(f->store, 2, f->pool)), "a failed mail is tried again");
    tap_is_str(ask(f, "SELECT state || '' || tries FROM mail "
                      "WHERE id = 2 AND state_us > 1 AND passed_us > 1"),
               "queued0", "as if it were new, and not kept by limits");
    error = hs_outbox_retry(f->store, 1, f->pool);
    tap_ok(error && error->code == HS_NOT_FOUND, "a sent one is not");
    error = hs_outbox_retry(f->store, 4711, f->pool);
    tap_ok(error && error->code == HS_NOT_FOUND, "nor one that isn't there");
    (void)finish_as(f, nth(claim_some(f, 10), 0), "suppressed");
    tap_ok(fixture_worked(hs_outbox_retry(f->store, 2, f->pool)), "a suppressed one is");
}

static void test_sites_with_odd_names(fixture *f)
{
    hs_claim what = usual_claim(1);

    submit(f, "a@example.com", "[::1]");
    what.site = "[::1]";
    tap_ok(strstr(nth(claim(f, &what), 0)->message_id, "@---1-") != NULL,
           "a Message-ID has no brackets");
}

static void test_no_database(apr_pool_t *pool)
{
    hs_db_opts opts = {.driver = "sqlite3",
                       .params = "/nonexistent/tickets.db",
                       .max = 1,
                       .timeout_us = 10000,
                       .prepare = 1};
    hs_claim what = usual_claim(1);
    apr_array_header_t *mails;
    hs_store *store;
    hs_error *error;
    int count;

    fixture_worked(hs_store_create(&store, &opts, NULL, NULL, pool));
    error = hs_outbox_claim(store, &mails, &count, &what, pool);
    tap_ok(error && error->code == HS_UNAVAILABLE, "no claim without a database");
    error = hs_outbox_release(store, "node", &count, pool);
    tap_ok(error && error->code == HS_UNAVAILABLE, "nor a release");
}

typedef struct plan {
    int sql;
    const void **values;
    const char *key;
    hs_rows *rows;
} plan;

static hs_error *explain(hs_store *store, hs_conn *conn, void *baton, apr_pool_t *pool)
{
    plan *self = baton;

    return hs_conn_select(conn, &self->rows,
                          apr_pstrcat(pool, "EXPLAIN ", hs_store_sql(store, self->sql), NULL),
                          self->values, pool);
}

/* MariaDB's UPDATE, left alone, reads all mails or sorts all that wait. SQLite's statements name
 * their index. */
static void test_plans(fixture *f)
{
    const apr_int64_t one = 1;
    const apr_int64_t now = APR_INT64_MAX / 2; /* all are due */
    const char *text = "";
    plan plans[] = {
        {HS_SQL_MAIL_CLAIM, (const void *[]){text, text, &one, SITE, &now, &one}, "mail_next", 0},
        {HS_SQL_MAIL_CLAIM_SUSPECT, (const void *[]){text, text, &one, SITE, &now, &one},
         "mail_next", 0},
        {HS_SQL_MAIL_PARK, (const void *[]){text, &one, SITE, &now, &one}, "mail_next", 0},
        {HS_SQL_MAIL_PASS, (const void *[]){&one, "[1,2]"}, "PRIMARY", 0},
        {HS_SQL_MAIL_EXPIRE, (const void *[]){&one, text, "[1,2]", &one, &one}, "PRIMARY", 0},
        {HS_SQL_MAIL_PURGE, (const void *[]){"sent", &now}, "mail_ended", 0},
    };

    if (!fixture_is("mysql")) {
        return;
    }
    submit(f, "jane@example.com", SITE);
    alter(f, "INSERT INTO mail (ticket, kind, site, recipient, recipient_key, recipient_domain, "
             "language, state, detail, state_us, created_us, next_us, message_id) "
             "SELECT n.seq, kind, site, recipient, recipient_key, recipient_domain, language, "
             "state, detail, state_us, created_us, next_us, message_id "
             "FROM mail, (SELECT seq FROM seq_2_to_3000) AS n");
    for (apr_size_t i = 0; i < sizeof(plans) / sizeof(*plans); i++) {
        const hs_rows *rows;
        const char *table;
        const char *extra;
        int row = 0;

        if (!fixture_worked(hs_store_read(f->store, explain, &plans[i], f->pool))) {
            fixture_bail_out("no plan");
        }
        rows = plans[i].rows;
        while ((table = hs_rows_text(rows, row, 2)) && strcmp(table, "mail") != 0) {
            row++; /* what the mails are joined with */
        }
        tap_ok(!strstr("ALL index", hs_rows_text(rows, row, 3)), "not all are read");
        tap_is_str(hs_rows_text(rows, row, 5), plans[i].key, "an index leads to the mails");
        extra = hs_rows_text(rows, row, 9);
        tap_ok(!extra || !strstr(extra, "filesort"), "and nothing is sorted");
    }
}

int main(void)
{
    static void (*const tests[])(fixture *) = {test_claim,
                                               test_order,
                                               test_keep,
                                               test_delay,
                                               test_leases,
                                               test_finish_together,
                                               test_lost_answers,
                                               test_retry_without_answer,
                                               test_poison,
                                               test_recipient_limit,
                                               test_recipient_after_outage,
                                               test_other_limits,
                                               test_site_limit,
                                               test_expire,
                                               test_strays,
                                               test_purge,
                                               test_plans,
                                               test_admin,
                                               test_sites_with_odd_names};
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    for (apr_size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++) {
        fixture f;

        fixture_open(&f, pool);
        tests[i](&f);
        fixture_close(&f);
    }
    test_no_database(pool);
    return tap_done();
}
