/* hs_senders_thread.c - layer 7: a thread that sends one mail after the other. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_clock.h"
#include "hs_senders_int.h"

#include <errno.h>
#include <string.h>

/* Relays dislike clients that say nothing; a next mail soon is worth keeping the connection. */
#define REST_US apr_time_from_sec(10)

static int has_work(const hs_senders *senders, const hs_relay *relay, apr_time_t now)
{
    return relay->first && !senders->is_aborted && hs_breaker_room(&relay->breaker, now) > 0;
}

/* In turn over the relays, so that a busy one doesn't keep another waiting. */
static hs_job *next_job(hs_senders *senders)
{
    apr_time_t now = hs_clock_now();

    for (int i = 0; i < senders->opts.relay_count; i++) {
        int index = (senders->next_relay + i) % senders->opts.relay_count;
        hs_relay *relay = &senders->relays[index];
        hs_job *job = relay->first;

        if (!has_work(senders, relay, now)) {
            continue;
        }
        relay->first = job->next;
        if (!relay->first) {
            relay->last = &relay->first;
        }
        relay->queued--;
        senders->queued--;
        senders->next_relay = index + 1;
        return job;
    }
    return NULL;
}

void hs_senders_call(hs_senders *senders)
{
    apr_time_t now = hs_clock_now();
    int wanted = 0;

    for (int i = 0; i < senders->opts.relay_count; i++) {
        const hs_relay *relay = &senders->relays[i];
        int room = hs_breaker_room(&relay->breaker, now);

        wanted += relay->queued < room ? relay->queued : room;
    }
    for (; wanted > 0 && senders->resting; wanted--) {
        hs_sender_thread *thread = senders->resting;

        senders->resting = thread->below;
        thread->rests = 0;
        pthread_cond_signal(&thread->called);
    }
}

static apr_uint32_t roll(hs_sender_thread *self)
{
    self->dice = self->dice * 1664525u + 1013904223u;
    return self->dice ^ (self->dice >> 16);
}

/* The outcome where no mail could even begin. */
static void set_hopeless(hs_smtp_outcome *outcome, const char *why)
{
    memset(outcome, 0, sizeof(*outcome));
    outcome->class = HS_SMTP_RELAY;
    hs_smtp_reply_mask(outcome->reply, why, 0, NULL);
}

/* Make the thread's connection to a relay, when it is first needed. Without the mutex. Returns
 * whether it is there; if not, `outcome` tells why. */
static int connect_to(hs_sender_thread *self, int index, hs_smtp_outcome *outcome)
{
    hs_senders *senders = self->all;
    apr_pool_t *pool;
    hs_smtp *smtp;
    hs_error *error;

    if (self->smtp[index]) {
        return 1;
    }
    apr_pool_create(&pool, self->pool);
    error = hs_smtp_create(&smtp, senders->relays[index].opts, pool);
    if (error) {
        set_hopeless(outcome, error->text);
        apr_pool_destroy(pool);
        return 0;
    }
    pthread_mutex_lock(&senders->mutex);
    self->smtp[index] = smtp; /* from now on hs_senders_abort sees it */
    if (senders->is_aborted) {
        hs_smtp_abort(smtp);
    }
    pthread_mutex_unlock(&senders->mutex);
    return 1;
}

static void send_mail(hs_sender_thread *self, hs_job *job)
{
    if (connect_to(self, job->relay, &job->outcome)) {
        hs_smtp_send(&job->outcome, self->smtp[job->relay], &job->mail);
    }
    if (job->outcome.class == HS_SMTP_SENT && self->all->opts.sent) {
        self->all->opts.sent(self->all->opts.baton, job);
    }
    hs_delivery_judge(&job->verdict, &job->outcome, job->tries, roll(self));
    self->has_connections = 1;
}

/* Under the mutex, which is free meanwhile. */
static void work(hs_sender_thread *self, hs_job *job)
{
    hs_senders *senders = self->all;
    hs_relay *relay = &senders->relays[job->relay];
    unsigned begun = hs_breaker_begin(&relay->breaker);
    apr_time_t start = hs_clock_now();
    apr_time_t end;

    senders->sending++;
    pthread_mutex_unlock(&senders->mutex);
    send_mail(self, job);
    end = hs_clock_now();
    pthread_mutex_lock(&senders->mutex);
    senders->sending--;
    relay->pace_us += (end - start - relay->pace_us) / 8;
    (void)hs_breaker_end(&relay->breaker, begun, job->verdict.is_relay_trouble, end, roll(self));
    if (job->verdict.is_relay_trouble) {
        memcpy(relay->reply, job->outcome.reply, sizeof(relay->reply));
    }
    senders->has_trouble |= job->verdict.is_relay_trouble;
    job->next = NULL;
    *senders->done_last = job;
    senders->done_last = &job->next;
    if (senders->done_count++ == 0) {
        senders->done_since = end;
        pthread_cond_signal(&senders->news); /* its patience begins */
    } else if (hs_senders_is_worth_it(senders)) {
        pthread_cond_signal(&senders->news);
    }
    hs_senders_call(senders);
}

static void leave_the_stack(hs_sender_thread *self)
{
    hs_sender_thread **at = &self->all->resting;

    while (*at && *at != self) {
        at = &(*at)->below;
    }
    if (*at) {
        *at = self->below;
    }
    self->rests = 0;
}

static void hang_up(hs_sender_thread *self)
{
    hs_senders *senders = self->all;

    pthread_mutex_unlock(&senders->mutex);
    for (int i = 0; i < senders->opts.relay_count; i++) {
        if (self->smtp[i]) {
            hs_smtp_quit(self->smtp[i]);
        }
    }
    self->has_connections = 0;
    pthread_mutex_lock(&senders->mutex);
}

/* Under the mutex. */
static void rest(hs_sender_thread *self)
{
    hs_senders *senders = self->all;
    apr_time_t until = hs_clock_now() + REST_US;
    int rv = 0;

    self->below = senders->resting;
    senders->resting = self;
    self->rests = 1;
    while (self->rests && !senders->is_over && rv != ETIMEDOUT) {
        rv = self->has_connections ? hs_clock_cond_wait(&self->called, &senders->mutex, until)
                                   : pthread_cond_wait(&self->called, &senders->mutex);
    }
    if (!self->rests) {
        return;
    }
    leave_the_stack(self);
    if (rv == ETIMEDOUT) {
        hang_up(self);
    }
}

void *hs_sender_thread_run(void *data)
{
    hs_sender_thread *self = data;
    hs_senders *senders = self->all;

    pthread_mutex_lock(&senders->mutex);
    for (;;) {
        hs_job *job = next_job(senders);

        if (job) {
            work(self, job);
        } else if (senders->is_over) {
            break;
        } else {
            rest(self);
        }
    }
    pthread_mutex_unlock(&senders->mutex);
    return NULL;
}
