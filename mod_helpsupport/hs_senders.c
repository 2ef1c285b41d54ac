/* hs_senders.c - layer 7: the giver's side of the threads that send mail. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_senders.h"

#include "hs_clock.h"
#include "hs_senders_int.h"

#include <signal.h>
#include <string.h>

/* Results are written together: this many, or what came to an end in that time. */
#define DONE_ENOUGH 20
#define DONE_PATIENCE_US apr_time_from_msec(50)

/* Mails at hand beyond the room: for that time, and at most so many for a thread. */
#define AHEAD_US apr_time_from_msec(25)
#define AHEAD_MAX 25
#define UNKNOWN_PACE_US apr_time_from_sec(1)

/* With several relays each leaves a thread to each of the others, as far as they go. */
static int share(const hs_senders_opts *opts)
{
    int others = opts->relay_count - 1;

    return opts->threads > others + 1 ? opts->threads - others : 1;
}

hs_error *hs_senders_create(hs_senders **out, const hs_senders_opts *opts, apr_pool_t *pool)
{
    hs_senders *senders = apr_pcalloc(pool, sizeof(*senders));

    senders->opts = *opts;
    senders->done_last = &senders->done;
    senders->relays = apr_pcalloc(pool, (apr_size_t)opts->relay_count * sizeof(hs_relay));
    for (int i = 0; i < opts->relay_count; i++) {
        hs_relay *relay = &senders->relays[i];
        hs_error *error = hs_smtp_check_url(opts->relays[i]->url, pool);

        if (error) {
            return error;
        }
        relay->opts = opts->relays[i];
        relay->last = &relay->first;
        relay->pace_us = UNKNOWN_PACE_US;
        hs_breaker_init(&relay->breaker, share(opts));
    }
    if (pthread_mutex_init(&senders->mutex, NULL) || hs_clock_cond_init(&senders->news)) {
        return hs_error_make(pool, HS_UNAVAILABLE, "no mutex for the mail threads");
    }
    *out = senders;
    return NULL;
}

/* A pool of its own with an allocator of its own: nobody else is in it. */
static int start_thread(hs_senders *senders, hs_sender_thread *thread)
{
    apr_allocator_t *allocator;
    apr_size_t relays = (apr_size_t)senders->opts.relay_count;

    if (apr_allocator_create(&allocator) != APR_SUCCESS) {
        return 0;
    }
    if (apr_pool_create_unmanaged_ex(&thread->pool, NULL, allocator) != APR_SUCCESS) {
        apr_allocator_destroy(allocator);
        return 0;
    }
    apr_allocator_owner_set(allocator, thread->pool);
    thread->all = senders;
    thread->dice = (apr_uint32_t)apr_time_now() + (apr_uint32_t)(thread - senders->threads);
    thread->smtp = apr_pcalloc(thread->pool, relays * sizeof(hs_smtp *));
    if (hs_clock_cond_init(&thread->called) ||
        pthread_create(&thread->id, NULL, hs_sender_thread_run, thread)) {
        apr_pool_destroy(thread->pool);
        return 0;
    }
    return 1;
}

hs_error *hs_senders_start(hs_senders *senders, apr_pool_t *pool)
{
    sigset_t all;
    sigset_t before;

    senders->threads =
        apr_pcalloc(pool, (apr_size_t)senders->opts.threads * sizeof(hs_sender_thread));
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the host's, on its own threads */
    while (senders->thread_count < senders->opts.threads &&
           start_thread(senders, &senders->threads[senders->thread_count])) {
        senders->thread_count++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return senders->thread_count
               ? NULL
               : hs_error_make(pool, HS_UNAVAILABLE, "the system gives no thread to send mail");
}

/* How many mails to have at hand beyond those being sent. */
static int ahead(const hs_relay *relay)
{
    apr_interval_time_t each = AHEAD_US / (relay->pace_us > 0 ? relay->pace_us : 1);

    return relay->breaker.allowed * (int)(each < AHEAD_MAX ? each : AHEAD_MAX);
}

int hs_senders_room(hs_senders *senders, int index)
{
    hs_relay *relay = &senders->relays[index];
    apr_time_t now = hs_clock_now();
    int room;
    int extra;

    pthread_mutex_lock(&senders->mutex);
    room = hs_breaker_room(&relay->breaker, now);
    extra = hs_breaker_is_well(&relay->breaker, now) ? ahead(relay) : 0;
    if (room > senders->thread_count - senders->sending) {
        room = senders->thread_count - senders->sending;
    }
    room += extra - relay->queued;
    pthread_mutex_unlock(&senders->mutex);
    return room > 0 ? room : 0;
}

void hs_senders_give(hs_senders *senders, hs_job *job)
{
    hs_relay *relay = &senders->relays[job->relay];

    job->next = NULL;
    job->given_us = hs_clock_now();
    pthread_mutex_lock(&senders->mutex);
    *relay->last = job;
    relay->last = &job->next;
    relay->queued++;
    senders->queued++;
    hs_senders_call(senders);
    pthread_mutex_unlock(&senders->mutex);
}

int hs_senders_is_worth_it(const hs_senders *senders)
{
    if (senders->woken || senders->has_trouble || senders->done_count >= DONE_ENOUGH) {
        return 1;
    }
    return senders->done_count > 0 && (senders->queued + senders->sending == 0 ||
                                       (senders->giver_has_more && senders->queued == 0));
}

static void take_report(hs_senders_report *report, hs_senders *senders)
{
    report->done = senders->done;
    report->woken = senders->woken;
    report->busy = senders->queued + senders->sending;
    senders->done = NULL;
    senders->done_last = &senders->done;
    senders->done_count = 0;
    senders->woken = 0;
    senders->has_trouble = 0;
}

void hs_senders_wait(hs_senders_report *report, hs_senders *senders, apr_time_t until, int has_more)
{
    pthread_mutex_lock(&senders->mutex);
    senders->giver_has_more = has_more;
    while (!hs_senders_is_worth_it(senders)) {
        apr_time_t at = until;

        if (senders->done_count && senders->done_since + DONE_PATIENCE_US < until) {
            at = senders->done_since + DONE_PATIENCE_US;
        }
        if (hs_clock_now() >= at) {
            break;
        }
        (void)hs_clock_cond_wait(&senders->news, &senders->mutex, at);
    }
    take_report(report, senders);
    pthread_mutex_unlock(&senders->mutex);
}

void hs_senders_wake(hs_senders *senders)
{
    pthread_mutex_lock(&senders->mutex);
    senders->woken = 1;
    pthread_cond_signal(&senders->news);
    pthread_mutex_unlock(&senders->mutex);
}

/* Move the relay's jobs that were given before then to the end of a list. Returns its new end. */
static hs_job **retract_from(hs_senders *senders, hs_relay *relay, apr_time_t given_before,
                             hs_job **end)
{
    while (relay->first && relay->first->given_us < given_before) {
        hs_job *job = relay->first;

        relay->first = job->next;
        relay->queued--;
        senders->queued--;
        job->next = NULL;
        *end = job;
        end = &job->next;
    }
    if (!relay->first) {
        relay->last = &relay->first;
    }
    return end;
}

hs_job *hs_senders_retract(hs_senders *senders, apr_time_t given_before)
{
    hs_job *list = NULL;
    hs_job **end = &list;
    apr_time_t now = hs_clock_now();

    pthread_mutex_lock(&senders->mutex);
    for (int i = 0; i < senders->opts.relay_count; i++) {
        hs_relay *relay = &senders->relays[i];
        hs_job **before = end;
        int is_open = hs_breaker_is_open(&relay->breaker, now);

        end = retract_from(senders, relay, is_open ? now + 1 : given_before, end);
        if (end != before) {
            relay->pace_us = UNKNOWN_PACE_US; /* there were too many at hand */
        }
    }
    pthread_mutex_unlock(&senders->mutex);
    return list;
}

void hs_senders_look(hs_relay_look *look, hs_senders *senders, int index)
{
    hs_relay *relay = &senders->relays[index];
    const hs_breaker *breaker = &relay->breaker;

    pthread_mutex_lock(&senders->mutex);
    look->down_us = breaker->down_since ? hs_clock_now() - breaker->down_since : 0;
    look->due_us = breaker->allowed == 0 ? breaker->open_until : 0;
    memcpy(look->reply, relay->reply, sizeof(look->reply));
    pthread_mutex_unlock(&senders->mutex);
}

void hs_senders_abort(hs_senders *senders)
{
    pthread_mutex_lock(&senders->mutex);
    senders->is_aborted = 1;
    for (int i = 0; i < senders->thread_count; i++) {
        for (int k = 0; k < senders->opts.relay_count; k++) {
            if (senders->threads[i].smtp[k]) {
                hs_smtp_abort(senders->threads[i].smtp[k]);
            }
        }
    }
    pthread_mutex_unlock(&senders->mutex);
}

void hs_senders_join(hs_senders *senders)
{
    pthread_mutex_lock(&senders->mutex);
    senders->is_over = 1;
    for (int i = 0; i < senders->thread_count; i++) {
        pthread_cond_signal(&senders->threads[i].called);
    }
    pthread_mutex_unlock(&senders->mutex);
    for (int i = 0; i < senders->thread_count; i++) {
        pthread_join(senders->threads[i].id, NULL);
        pthread_cond_destroy(&senders->threads[i].called);
        apr_pool_destroy(senders->threads[i].pool);
    }
    senders->thread_count = 0;
}
