/* hs_courier_result.c - layer 8: what becomes of mails, stored and told. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_clock.h"
#include "hs_courier_int.h"

#include <apr_strings.h>

#include <stdarg.h>
#include <string.h>

#define SELDOM_US apr_time_from_sec(60)
#define DB_WAIT_FIRST_US apr_time_from_msec(500)
#define DB_WAIT_LONGEST_US apr_time_from_sec(30)

void hs_courier_say(hs_courier *courier, hs_courier_level level, const char *format, ...)
{
    va_list args;
    const char *text;

    va_start(args, format);
    text = apr_pvsprintf(courier->scratch, format, args);
    va_end(args);
    courier->opts.log(courier->opts.log_baton, level, text);
}

int hs_courier_may_say(const hs_courier *courier, apr_time_t *told)
{
    if (*told && courier->now - *told < SELDOM_US) {
        return 0;
    }
    *told = courier->now;
    return 1;
}

apr_uint32_t hs_courier_roll(hs_courier *courier)
{
    courier->dice = courier->dice * 1664525u + 1013904223u;
    return courier->dice ^ (courier->dice >> 16);
}

void hs_courier_note_trouble(hs_courier *courier, const hs_error *error)
{
    apr_interval_time_t wait = courier->db_wait_us * 2;

    wait = wait > DB_WAIT_FIRST_US ? wait : DB_WAIT_FIRST_US;
    wait = wait < DB_WAIT_LONGEST_US ? wait : DB_WAIT_LONGEST_US;
    courier->db_wait_us = wait;
    courier->db_at = hs_clock_now() + wait / 2 + hs_courier_roll(courier) % (wait / 2);
    if (hs_courier_may_say(courier, &courier->db_told)) {
        hs_courier_say(courier, HS_COURIER_ERROR, "the mails' database: %s; mails wait",
                       error->text);
    }
}

static void settle(hs_courier *courier, hs_parcel *parcel, const hs_mail_result *result)
{
    parcel->result = *result;
    parcel->result.id = parcel->mail->id;
    parcel->result.lease = parcel->mail->lease;
    parcel->next = NULL;
    *courier->results_last = parcel;
    courier->results_last = &parcel->next;
}

void hs_courier_settle(hs_courier *courier, hs_parcel *parcel, const char *state,
                       const char *detail)
{
    hs_mail_result result = {.state = state, .detail = apr_pstrdup(parcel->batch->pool, detail)};

    settle(courier, parcel, &result);
}

void hs_courier_requeue(hs_courier *courier, hs_parcel *parcel, apr_interval_time_t delay_us,
                        const char *detail)
{
    hs_mail_result result = {.state = "queued",
                             .detail = apr_pstrdup(parcel->batch->pool, detail),
                             .delay_us = delay_us};

    settle(courier, parcel, &result);
}

static void tell_refusal(hs_courier *courier, const hs_parcel *parcel)
{
    const hs_smtp_outcome *outcome = &parcel->job.outcome;
    apr_int64_t id = parcel->mail->id;

    if (outcome->policy) {
        if (hs_courier_may_say(courier, &courier->policy_told)) {
            hs_courier_say(courier, HS_COURIER_ERROR,
                           "the relay refuses mail %" APR_INT64_T_FMT " by its policy, and perhaps "
                           "all others: %s",
                           id, outcome->reply);
        }
    } else if (hs_courier_may_say(courier, &courier->refusal_told)) {
        hs_courier_say(courier, HS_COURIER_WARNING, "mail %" APR_INT64_T_FMT " was refused: %s", id,
                       outcome->reply);
    }
}

static void tell_outcome(hs_courier *courier, const hs_parcel *parcel)
{
    const hs_smtp_outcome *outcome = &parcel->job.outcome;
    apr_int64_t id = parcel->mail->id;

    if (outcome->class == HS_SMTP_AMBIGUOUS) {
        hs_courier_say(courier, HS_COURIER_WARNING,
                       "mail %" APR_INT64_T_FMT " was maybe delivered, the relay's answer was "
                       "lost (%s); it is sent again in %d minutes",
                       id, outcome->reply, (int)(parcel->result.delay_us / apr_time_from_sec(60)));
    } else if (outcome->is_sender_refused) {
        if (hs_courier_may_say(courier, &courier->sender_told)) {
            hs_courier_say(courier, HS_COURIER_WARNING,
                           "the relay refuses the sender of mail %" APR_INT64_T_FMT ", and so "
                           "perhaps all others; they wait: %s",
                           id, outcome->reply);
        }
    } else if (outcome->class == HS_SMTP_PERMANENT) {
        tell_refusal(courier, parcel);
    }
}

void hs_courier_take_done(hs_courier *courier, hs_job *done)
{
    while (done) {
        hs_parcel *parcel = done->baton;
        const hs_verdict *verdict = &done->verdict;
        hs_mail_result result = {
            .state = verdict->state,
            .detail = apr_pstrcat(parcel->batch->pool, verdict->prefix, done->outcome.reply, NULL),
            .delay_us = verdict->delay_us,
            .counts_as_try = verdict->counts_as_try};

        done = done->next;
        settle(courier, parcel, &result);
        tell_outcome(courier, parcel);
        parcel->post->has_more |= verdict->is_relay_trouble; /* it will be due again */
    }
}

void hs_courier_give_back(hs_courier *courier, hs_job *jobs)
{
    while (jobs) {
        hs_parcel *parcel = jobs->baton;

        jobs = jobs->next;
        parcel->post->has_more = 1;
        hs_courier_requeue(courier, parcel, 0, "");
    }
}

/* The database has its result: it is nobody's any more. */
static void discard(hs_courier *courier, hs_parcel *parcel)
{
    if (courier->journal) {
        hs_journal_clear(courier->journal, (int)(parcel - courier->parcels));
    }
    if (parcel->is_suspect) {
        courier->has_suspect = 0;
        courier->suspects_at = courier->now;
    }
    if (--parcel->batch->open == 0) {
        apr_pool_destroy(parcel->batch->pool);
    }
    parcel->next = courier->free;
    courier->free = parcel;
    courier->free_count++;
}

void hs_courier_store(hs_courier *courier)
{
    apr_array_header_t *results;
    hs_parcel *parcel = courier->results;
    hs_error *error;
    int lost;

    if (!parcel || hs_clock_now() < courier->db_at) {
        return;
    }
    results = apr_array_make(courier->scratch, HS_COURIER_AT_HAND, sizeof(hs_mail_result));
    for (; parcel; parcel = parcel->next) {
        APR_ARRAY_PUSH(results, hs_mail_result) = parcel->result;
    }
    error = hs_outbox_finish(courier->store, results, &lost, courier->scratch);
    if (error) {
        courier->is_unsure |= error->code == HS_OUTCOME_UNKNOWN;
        hs_courier_note_trouble(courier, error);
        return;
    }
    courier->db_wait_us = 0;
    if (lost && !courier->is_unsure) { /* else they may be what an earlier try had stored */
        hs_courier_say(courier, HS_COURIER_WARNING,
                       "%d mails had been given to another sender meanwhile and may go out twice: "
                       "are the clocks right?",
                       lost);
    }
    courier->is_unsure = 0;
    for (parcel = courier->results; parcel; parcel = courier->results) {
        courier->results = parcel->next;
        discard(courier, parcel);
    }
    courier->results_last = &courier->results;
}

static void tell_relay(hs_courier *courier, int index)
{
    const char *url = courier->relays[index]->url;
    hs_relay_look look;

    hs_senders_look(&look, courier->senders, index);
    if (look.down_us && hs_courier_may_say(courier, &courier->relay_told[index])) {
        courier->relay_is_down[index] = 1;
        hs_courier_say(courier, HS_COURIER_WARNING,
                       "the mail relay %s can't be used, for %d s now; mails wait: %s", url,
                       (int)apr_time_sec(look.down_us), look.reply);
    } else if (!look.down_us && courier->relay_is_down[index]) {
        courier->relay_is_down[index] = 0;
        hs_courier_say(courier, HS_COURIER_INFO, "the mail relay %s works again", url);
    }
}

void hs_courier_tell(hs_courier *courier)
{
    for (int i = 0; i < courier->relay_count; i++) {
        tell_relay(courier, i);
    }
}
