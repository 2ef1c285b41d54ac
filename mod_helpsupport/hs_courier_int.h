/* hs_courier_int.h - layer 7: what the files of the courier share; nobody else includes it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_COURIER_INT_H
#define HS_COURIER_INT_H

#include "hs_courier.h"
#include "hs_journal.h"
#include "hs_senders.h"

#include <stdatomic.h>

/* Mails that are claimed at once, at most; and that are at hand, results not yet stored included.
 */
#define HS_COURIER_CLAIM_MAX 40
#define HS_COURIER_AT_HAND HS_JOURNAL_SLOTS

/* Longer than a mail may take (hs_smtp_opts.total_timeout_s) after waiting its turn. */
#define HS_COURIER_LEASE_US apr_time_from_sec(900)

/* Mails that no sender thread has begun with for so long are given back. */
#define HS_COURIER_TURN_US apr_time_from_sec(2)

/* What one site's mails need while the courier runs. */
typedef struct hs_post {
    const hs_courier_site *site;
    int relay;
    int has_more;          /* there may be mails that are due */
    apr_time_t not_before; /* the site's limit is reached */
    apr_time_t limit_told; /* when a line was last written, and so below */
    apr_time_t templates_told;
    apr_time_t expire_at;
} hs_post;

/* The mails of one claim; their memory is freed when the last has its result stored. */
typedef struct hs_batch {
    apr_pool_t *pool;
    int open;
} hs_batch;

/* A mail at hand. Its place in the array is its slot in the journal. */
typedef struct hs_parcel {
    hs_job job;
    const hs_mail *mail;
    hs_post *post;
    hs_batch *batch;
    int is_suspect;
    hs_mail_result result;
    struct hs_parcel *next; /* among the free ones, or those with a result */
} hs_parcel;

struct hs_courier {
    hs_courier_opts opts;
    hs_store *store;
    hs_post *posts;
    int post_count;
    const hs_smtp_opts **relays;
    apr_time_t *relay_told; /* by relay, as is what follows */
    int *relay_is_down;     /* as far as was told */
    int relay_count;
    hs_senders *senders;
    hs_journal *journal;          /* or NULL */
    const char *owner;            /* of our leases; "": nobody, only time frees them */
    _Atomic(apr_int64_t) stop_at; /* hs_clock_now; 0: not yet */

    /* from here on the running thread's alone */
    apr_pool_t *pool;    /* with an allocator of its own, parent of the batches' */
    apr_pool_t *scratch; /* for one round */
    apr_time_t now;      /* of this round */
    apr_uint32_t dice;
    hs_parcel parcels[HS_COURIER_AT_HAND];
    hs_parcel *free;
    int free_count;
    hs_parcel *results; /* not stored yet, in order */
    hs_parcel **results_last;
    int is_unsure; /* what a try to store them did is not known */
    int next_post;
    int looks;          /* somebody said, or the time has come, to look for new mails */
    apr_time_t look_at; /* not before */
    apr_time_t poll_at;
    apr_time_t suspects_at;
    int has_suspect; /* one is at hand; no second is claimed meanwhile */
    apr_time_t purge_at;
    apr_time_t strays_at;
    apr_time_t db_at; /* the database had trouble: not before */
    apr_interval_time_t db_wait_us;
    apr_time_t db_told;
    apr_time_t policy_told;
    apr_time_t sender_told;
    apr_time_t refusal_told;
};

/* hs_courier_result.c */

/* Log. */
void hs_courier_say(hs_courier *courier, hs_courier_level level, const char *format, ...)
    HS_PRINTF(3, 4);

/* Whether a line that may come often may be written now; notes that it is. */
int hs_courier_may_say(const hs_courier *courier, apr_time_t *told);

/* Any number. */
apr_uint32_t hs_courier_roll(hs_courier *courier);

/* The database failed: leave it alone for a while. */
void hs_courier_note_trouble(hs_courier *courier, const hs_error *error);

/* What became of a parcel; it is stored by the next hs_courier_store. `detail` is copied. */
void hs_courier_settle(hs_courier *courier, hs_parcel *parcel, const char *state,
                       const char *detail);

/* Back to the queue, without a try. */
void hs_courier_requeue(hs_courier *courier, hs_parcel *parcel, apr_interval_time_t delay_us,
                        const char *detail);

/* Take the outcomes of a list of jobs that came to an end. */
void hs_courier_take_done(hs_courier *courier, hs_job *done);

/* Give back a list of jobs that no thread began with. */
void hs_courier_give_back(hs_courier *courier, hs_job *jobs);

/* Store the results, if there are any and the database isn't left alone. */
void hs_courier_store(hs_courier *courier);

/* Tell of relays that went down or came back. */
void hs_courier_tell(hs_courier *courier);

/* hs_courier_fetch.c */

/* The names of the courier's sites, in the scratch pool. */
apr_array_header_t *hs_courier_site_names(hs_courier *courier);

/* Claim what can be sent, compose it, and give it to the senders. */
void hs_courier_fetch(hs_courier *courier);

/* Whether that would claim mails now that are known to be due. */
int hs_courier_can_fetch(hs_courier *courier);

#endif
