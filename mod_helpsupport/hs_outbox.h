/* hs_outbox.h - layer 5: the mails that wait in the database: leases, results, limits. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_OUTBOX_H
#define HS_OUTBOX_H

#include "hs_limit.h"
#include "hs_ticket.h"

#include <apr_tables.h>

typedef struct hs_store hs_store; /* hs_store.h */

typedef enum hs_over { HS_OVER_NONE = 0, HS_OVER_RECIPIENT, HS_OVER_DOMAIN, HS_OVER_SITE } hs_over;

/* A mail as it was claimed. Strings live in the pool of the claim. */
typedef struct hs_mail {
    apr_int64_t id;
    const char *lease; /* the token that the claim gave; finishing needs it */
    const char *site;
    const char *kind; /* "confirmation" */
    const char *recipient;
    const char *language;
    const char *message_id;  /* without angle brackets; the same at every try */
    const char *message;     /* the composed octets; NULL until hs_outbox_keep has stored them */
    int tries;               /* that a relay answered with a temporary or unclear result */
    const hs_ticket *ticket; /* what the templates show of it; user_id and phone_number are NULL */
    hs_over over_limit;      /* which of the claim's limits this mail is over */
} hs_mail;

/* How often mails may go out; each an array of hs_rate, or NULL for no limit. Counted in the
 * database, by all nodes together. A recipient is its address in lower case without "+tag"; its
 * mails count by when they were submitted, the others' by when they go out. */
typedef struct hs_mail_limits {
    const apr_array_header_t *recipient;
    const apr_array_header_t *domain;
    const apr_array_header_t *site;
} hs_mail_limits;

typedef struct hs_claim {
    const char *site;  /* one ServerName */
    const char *owner; /* this node: its leases are freed when its sender starts anew */
    int max;           /* 1 and up: never more than can be sent at once, or leases run out unsent */
    apr_interval_time_t lease_us; /* longer than sending a mail may take */
    const hs_mail_limits *limits;
    int suspects; /* 1: only mails that were claimed twice without a result, 0: only others */
} hs_claim;

/* What became of a mail. `state` is a name of the table: "sent", "failed", "suppressed", or
 * "queued" to try again after `delay_us`. */
typedef struct hs_mail_result {
    apr_int64_t id;
    const char *lease;
    const char *state;
    const char *detail; /* for the history and the administrator; no address; "" for none */
    apr_interval_time_t delay_us; /* with "queued" */
    int counts_as_try; /* with "queued": 0 where the relay was in trouble, not the mail */
} hs_mail_result;

/* Every call below may return HS_UNAVAILABLE; nothing was done then, and leases run out by
 * themselves. Doing it again never harms, also after HS_OUTCOME_UNKNOWN. Thread: any. */

/* Give back at once what `owner` had claimed before it died; *count: how many. */
hs_error *hs_outbox_release(hs_store *store, const char *owner, int *count,
                            apr_pool_t *pool) HS_MUSTCHECK;

/* Which of `sites` (array of const char *) have mails that are due, as an array of the same kind.
 * Only reads. */
hs_error *hs_outbox_due(hs_store *store, apr_array_header_t **due, const apr_array_header_t *sites,
                        apr_pool_t *pool) HS_MUSTCHECK;

/* Lease up to claim->max mails that are due, those that waited longest, and commit that. *mails:
 * array of hs_mail *, by id. A claim of suspects first parks as failed what was claimed five times
 * without a result, since it has killed its sender each time; *parked: how many. */
hs_error *hs_outbox_claim(hs_store *store, apr_array_header_t **mails, int *parked,
                          const hs_claim *claim, apr_pool_t *pool) HS_MUSTCHECK;

/* Store the composed octets of mails (array of hs_mail *) that have just been composed, and commit,
 * before the first of them is sent: so that every try sends the same. HS_STALE, and nothing stored,
 * where a lease was lost: none of them may be sent. */
hs_error *hs_outbox_keep(hs_store *store, const apr_array_header_t *mails,
                         apr_pool_t *pool) HS_MUSTCHECK;

/* Store results (array of hs_mail_result), in one transaction. A mail whose lease was lost is left
 * to its new owner; *lost counts them. A mail that is sent or suppressed loses its composed octets:
 * they are personal data. */
hs_error *hs_outbox_finish(hs_store *store, const apr_array_header_t *results, int *lost,
                           apr_pool_t *pool) HS_MUSTCHECK;

/* Fail mails of `site` that have waited longer than `max_age_us` and aren't being sent; *count: how
 * many, at most 500 a call. */
hs_error *hs_outbox_expire(hs_store *store, const char *site, apr_interval_time_t max_age_us,
                           int *count, apr_pool_t *pool) HS_MUSTCHECK;

/* Mails that wait for a site of which no sender seems to know, since none has been claimed and none
 * has come for `idle_us`: those of all sites but `sites` (array of const char *), as an array of
 * hs_stray. Only reads. */
typedef struct hs_stray {
    const char *site;
    apr_int64_t count;
} hs_stray;
hs_error *hs_outbox_strays(hs_store *store, apr_array_header_t **strays,
                           const apr_array_header_t *sites, apr_interval_time_t idle_us,
                           apr_pool_t *pool) HS_MUSTCHECK;

/* Remove recipients and octets from some old rows; what the ticket's history shows stays. Those are
 * mails sent or suppressed 7 days ago, or longer where limits count further back (`counted_us`),
 * and failed ones after 30 days. *count: how many, at most 500 of each state a call. */
hs_error *hs_outbox_purge(hs_store *store, apr_interval_time_t counted_us, int *count,
                          apr_pool_t *pool) HS_MUSTCHECK;

/* For the administrator: rows in `state` (NULL: all but sent), newest first, at most `max`, as an
 * array of hs_mail_row *. */
typedef struct hs_mail_row {
    apr_int64_t id;
    apr_int64_t ticket_number;
    const char *site;
    const char *recipient; /* "" after hs_outbox_purge */
    const char *state;
    const char *detail;
    int tries;
    apr_time_t created_us;
    apr_time_t state_us;
} hs_mail_row;
hs_error *hs_outbox_list(hs_store *store, apr_array_header_t **rows, const char *state, int max,
                         apr_pool_t *pool) HS_MUSTCHECK;

/* Queue a failed or suppressed mail again, its tries and age forgotten and without regard to the
 * limits. HS_NOT_FOUND where no such row may be; HS_OUTCOME_UNKNOWN where there is none after a try
 * that had no answer. */
hs_error *hs_outbox_retry(hs_store *store, apr_int64_t id, apr_pool_t *pool) HS_MUSTCHECK;

#endif
