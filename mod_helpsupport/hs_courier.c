/* hs_courier.c - layer 8: takes mails out of the outbox and gives them to the relay; host-free. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_courier.h"

#include "hs_breaker.h"
#include "hs_clock.h"
#include "hs_courier_int.h"

#include <apr_strings.h>

#include <string.h>

/* Between two looks at what has grown too old. */
#define HOUSEKEEPING_US apr_time_from_sec(60)

/* Longer than a sender elsewhere that waits for its relay leaves all mails of a site alone. */
#define STRAY_US (2 * HS_BREAKER_LONGEST_US)
#define STRAYS_TOLD_US apr_time_from_sec(60 * 60)

/* How long results may take to be stored after the last mail was cut off. */
#define LAST_WORDS_US apr_time_from_sec(3)
#define DRAIN_STEP_US apr_time_from_msec(100)

/* What is kept for the next claim. */
#define KEEP_FREE_OCTETS (4 * 1024 * 1024)

/* ---- making it ---- */

static int same_relay(const hs_smtp_opts *a, const hs_smtp_opts *b)
{
    const char *a_user = a->user ? a->user : "";
    const char *b_user = b->user ? b->user : "";

    return strcmp(a->url, b->url) == 0 && strcmp(a_user, b_user) == 0;
}

static int relay_of(hs_courier *courier, const hs_smtp_opts *relay)
{
    for (int i = 0; i < courier->relay_count; i++) {
        if (same_relay(courier->relays[i], relay)) {
            return i;
        }
    }
    courier->relays[courier->relay_count] = relay;
    return courier->relay_count++;
}

/* Called by the sender threads. */
static void note_sent(void *baton, hs_job *job)
{
    hs_courier *courier = baton;
    const hs_parcel *parcel = job->baton;

    if (courier->journal) {
        hs_journal_note(courier->journal, (int)(parcel - courier->parcels), parcel->mail->id,
                        parcel->mail->lease, job->outcome.reply);
    }
}

hs_error *hs_courier_create(hs_courier **out, const hs_courier_opts *opts, hs_store *store,
                            const apr_array_header_t *sites, apr_pool_t *pool)
{
    hs_courier *courier = apr_pcalloc(pool, sizeof(*courier));
    apr_size_t count = (apr_size_t)sites->nelts;
    hs_senders_opts senders = {.threads = opts->connections, .sent = note_sent, .baton = courier};

    *out = courier;
    courier->opts = *opts;
    courier->store = store;
    courier->post_count = sites->nelts;
    courier->posts = apr_pcalloc(pool, count * sizeof(hs_post));
    courier->relays = apr_pcalloc(pool, count * sizeof(hs_smtp_opts *));
    courier->relay_told = apr_pcalloc(pool, count * sizeof(apr_time_t));
    courier->relay_is_down = apr_pcalloc(pool, count * sizeof(int));
    for (int i = 0; i < sites->nelts; i++) {
        hs_post *post = &courier->posts[i];

        post->site = &APR_ARRAY_IDX(sites, i, hs_courier_site);
        post->relay = relay_of(courier, &post->site->relay);
    }
    for (int i = HS_COURIER_AT_HAND - 1; i >= 0; i--) {
        courier->parcels[i].next = courier->free;
        courier->free = &courier->parcels[i];
    }
    courier->free_count = HS_COURIER_AT_HAND;
    courier->results_last = &courier->results;
    courier->dice = (apr_uint32_t)apr_time_now();
    senders.relays = courier->relays;
    senders.relay_count = courier->relay_count;
    return hs_senders_create(&courier->senders, &senders, pool);
}

/* ---- other threads ---- */

void hs_courier_wake(hs_courier *courier)
{
    hs_senders_wake(courier->senders);
}

void hs_courier_stop(hs_courier *courier, apr_interval_time_t drain_us)
{
    apr_int64_t at = hs_clock_now() + drain_us;
    apr_int64_t before = atomic_load(&courier->stop_at);

    while ((before == 0 || at < before) &&
           !atomic_compare_exchange_weak(&courier->stop_at, &before, at)) {
    }
    hs_senders_wake(courier->senders);
}

/* ---- the running thread ---- */

static int is_stopping(const hs_courier *courier)
{
    return atomic_load(&courier->stop_at) != 0;
}

/* Wait for news until `until` and take them in. Returns how many mails are with the senders. */
static int wait_until(hs_courier *courier, apr_time_t until)
{
    hs_senders_report report;
    int has_more = 0;

    for (int i = 0; i < courier->post_count; i++) {
        has_more |= courier->posts[i].has_more;
    }
    hs_senders_wait(&report, courier->senders, until, has_more);
    apr_pool_clear(courier->scratch);
    courier->now = hs_clock_now();
    courier->looks |= report.woken;
    hs_courier_take_done(courier, report.done);
    return report.busy;
}

/* Nobody but us works: an allocator without a lock, which gives back what a burst took. */
static void make_pools(hs_courier *courier)
{
    apr_allocator_t *allocator;

    apr_allocator_create(&allocator);
    apr_allocator_max_free_set(allocator, KEEP_FREE_OCTETS);
    apr_pool_create_unmanaged_ex(&courier->pool, NULL, allocator);
    apr_allocator_owner_set(allocator, courier->pool);
    apr_pool_create(&courier->scratch, courier->pool);
}

/* The journal's id tells us from nodes that have even their name in common, as containers of one
 * image may; the name tells us from machines that were copied with their journal. */
static void open_journal(hs_courier *courier)
{
    hs_error *error;

    courier->owner = "";
    if (courier->opts.journal_fd <= 0) {
        return;
    }
    error = hs_journal_open(&courier->journal, courier->opts.journal_fd, courier->pool);
    if (error) {
        hs_courier_say(courier, HS_COURIER_WARNING,
                       "%s; if this process is killed, some mails may go out twice", error->text);
        return;
    }
    courier->owner = apr_psprintf(courier->pool, "%.200s:%s", courier->opts.host,
                                  hs_journal_owner(courier->journal));
}

/* What the process before us had sent but not stored. */
static hs_error *store_journal(hs_courier *courier)
{
    apr_array_header_t *results = apr_array_make(courier->scratch, 4, sizeof(hs_mail_result));
    hs_error *error;
    int lost;

    for (int i = 0; courier->journal && i < HS_JOURNAL_SLOTS; i++) {
        hs_journal_entry *entry = apr_palloc(courier->scratch, sizeof(*entry));

        if (hs_journal_read(courier->journal, i, entry)) {
            APR_ARRAY_PUSH(results, hs_mail_result) = (hs_mail_result){
                .id = entry->id, .lease = entry->lease, .state = "sent", .detail = entry->text};
        }
    }
    error = hs_outbox_finish(courier->store, results, &lost, courier->scratch);
    for (int i = 0; courier->journal && !error && i < HS_JOURNAL_SLOTS; i++) {
        hs_journal_clear(courier->journal, i);
    }
    return error;
}

static int recover(hs_courier *courier)
{
    int count = 0;
    hs_error *error = store_journal(courier);

    if (!error && courier->journal) {
        error = hs_outbox_release(courier->store, courier->owner, &count, courier->scratch);
    }
    if (error) {
        hs_courier_note_trouble(courier, error);
        return 0;
    }
    courier->db_wait_us = 0;
    if (count) {
        hs_courier_say(courier, HS_COURIER_WARNING,
                       "%d mails of a mail process that died are queued again", count);
    }
    return 1;
}

static int start_senders(hs_courier *courier)
{
    hs_error *error = hs_senders_start(courier->senders, courier->pool);

    if (error) {
        hs_courier_say(courier, HS_COURIER_ERROR, "%s; trying again", error->text);
        courier->db_at = hs_clock_now() + apr_time_from_sec(1);
    }
    return !error;
}

/* Returns whether mails may be claimed; 0 when it is to stop before that. */
static int begin(hs_courier *courier)
{
    courier->now = hs_clock_now();
    make_pools(courier);
    open_journal(courier);
    while (!is_stopping(courier) && !recover(courier)) {
        (void)wait_until(courier, courier->db_at);
    }
    while (!is_stopping(courier) && !start_senders(courier)) {
        (void)wait_until(courier, courier->db_at);
    }
    return !is_stopping(courier);
}

static apr_interval_time_t longest_period(const hs_courier *courier)
{
    apr_interval_time_t longest = 0;

    for (int i = 0; i < courier->post_count; i++) {
        const hs_mail_limits *limits = &courier->posts[i].site->limits;
        const apr_array_header_t *const all[] = {limits->recipient, limits->domain, limits->site};

        for (int k = 0; k < 3; k++) {
            for (int n = 0; all[k] && n < all[k]->nelts; n++) {
                apr_interval_time_t period = APR_ARRAY_IDX(all[k], n, hs_rate).period_us;

                longest = period > longest ? period : longest;
            }
        }
    }
    return longest;
}

/* All of them, before anything is claimed: none may go out after its age. There may be so many that
 * httpd would have to kill us before the last. */
static hs_error *expire(hs_courier *courier, hs_post *post)
{
    int total = 0;
    int count;
    hs_error *error;

    do {
        error = hs_outbox_expire(courier->store, post->site->name, post->site->max_age_us, &count,
                                 courier->scratch);
        total += error ? 0 : count;
    } while (!error && count > 0 && !is_stopping(courier));
    if (total) {
        hs_courier_say(courier, HS_COURIER_ERROR,
                       "%d mails of %s are given up: older than HelpSupportMailMaxAge", total,
                       post->site->name);
    }
    if (!error) {
        post->expire_at = courier->now + HOUSEKEEPING_US;
    }
    return error;
}

/* Since a ServerName was changed, say, and nobody sends for the old one. */
static hs_error *tell_strays(hs_courier *courier)
{
    apr_array_header_t *strays;
    hs_error *error = hs_outbox_strays(courier->store, &strays, hs_courier_site_names(courier),
                                       STRAY_US, courier->scratch);

    if (error) {
        return error;
    }
    for (int i = 0; i < strays->nelts; i++) {
        const hs_stray *stray = &APR_ARRAY_IDX(strays, i, hs_stray);

        hs_courier_say(courier, HS_COURIER_WARNING,
                       "%" APR_INT64_T_FMT " mails of site %s wait, but no server of this name "
                       "sends mail here",
                       stray->count, stray->site);
    }
    courier->strays_at = courier->now + (strays->nelts ? STRAYS_TOLD_US : HOUSEKEEPING_US);
    return NULL;
}

static void keep_house(hs_courier *courier)
{
    hs_error *error = NULL;
    int count = 0;

    if (hs_clock_now() < courier->db_at) {
        return;
    }
    for (int i = 0; i < courier->post_count && !error; i++) {
        if (courier->now >= courier->posts[i].expire_at) {
            error = expire(courier, &courier->posts[i]);
        }
    }
    if (!error && courier->now >= courier->purge_at) {
        error = hs_outbox_purge(courier->store, longest_period(courier), &count, courier->scratch);
        courier->purge_at = courier->now + (count ? apr_time_from_sec(1) : HOUSEKEEPING_US);
    }
    if (!error && courier->now >= courier->strays_at) {
        error = tell_strays(courier);
    }
    if (error) {
        hs_courier_note_trouble(courier, error);
    }
}

static apr_time_t earlier(apr_time_t a, apr_time_t b)
{
    return a < b ? a : b;
}

/* When something is to be done, whatever happens. */
static apr_time_t next_time(hs_courier *courier)
{
    apr_time_t next = courier->poll_at;
    apr_time_t now = hs_clock_now();

    if (courier->db_at > now) {
        return earlier(next, courier->db_at);
    }
    if (hs_courier_can_fetch(courier)) {
        return now;
    }
    if (courier->looks) {
        next = earlier(next, courier->look_at);
    }
    for (int i = 0; i < courier->relay_count; i++) {
        hs_relay_look look;

        hs_senders_look(&look, courier->senders, i);
        if (look.due_us > now) {
            next = earlier(next, look.due_us);
        }
    }
    return next;
}

/* A second more or less, so that the nodes don't all come at once. */
static void poll_if_due(hs_courier *courier)
{
    apr_interval_time_t period = courier->opts.poll_us > 0 ? courier->opts.poll_us : 1;

    if (courier->now < courier->poll_at) {
        return;
    }
    courier->poll_at =
        courier->now + period + hs_courier_roll(courier) % (apr_uint32_t)(period / 4 + 1);
    courier->looks = 1;
}

static void work(hs_courier *courier)
{
    courier->now = hs_clock_now();
    while (!is_stopping(courier)) {
        poll_if_due(courier);
        hs_courier_give_back(
            courier, hs_senders_retract(courier->senders, courier->now - HS_COURIER_TURN_US));
        hs_courier_store(courier);
        keep_house(courier);
        hs_courier_fetch(courier);
        hs_courier_store(courier);
        hs_courier_tell(courier);
        (void)wait_until(courier, next_time(courier));
    }
}

/* When to look again while draining: a mail that ends or is cut off is news by itself. */
static apr_time_t next_in_drain(const hs_courier *courier, apr_time_t stop_at, int is_cut_off)
{
    apr_time_t soon = hs_clock_now() + DRAIN_STEP_US;

    if (is_cut_off) {
        return soon;
    }
    if (courier->results) {
        return earlier(stop_at, courier->db_at > soon ? courier->db_at : soon);
    }
    return stop_at;
}

/* Mails that no thread began with go back, those being sent get their time; results are stored. */
static void drain(hs_courier *courier)
{
    int is_cut_off = 0;
    int busy;

    hs_courier_give_back(courier, hs_senders_retract(courier->senders, hs_clock_now() + 1));
    busy = wait_until(courier, 0);
    for (;;) {
        apr_time_t stop_at = atomic_load(&courier->stop_at);

        hs_courier_store(courier);
        if (!busy && !courier->results) {
            return;
        }
        if (!busy && hs_clock_now() >= stop_at + LAST_WORDS_US) {
            hs_courier_say(courier, HS_COURIER_WARNING,
                           "results of mails could not be stored: some may go out twice");
            return;
        }
        if (hs_clock_now() >= stop_at && !is_cut_off) {
            hs_senders_abort(courier->senders);
            is_cut_off = 1;
        }
        busy = wait_until(courier, next_in_drain(courier, stop_at, is_cut_off));
    }
}

void hs_courier_run(hs_courier *courier)
{
    if (begin(courier)) {
        work(courier);
    }
    drain(courier);
    hs_senders_join(courier->senders);
    apr_pool_destroy(courier->pool);
}
