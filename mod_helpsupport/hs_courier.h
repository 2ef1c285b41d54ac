/* hs_courier.h - layer 6: takes mails out of the outbox and gives them to the relay; host-free. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_COURIER_H
#define HS_COURIER_H

#include "hs_confirmation.h"
#include "hs_outbox.h"
#include "hs_smtp.h"

/* What the mails of one site need. All that it points to outlives the courier. */
typedef struct hs_courier_site {
    const char *name;               /* the ServerName: names the site's rows */
    hs_smtp_opts relay;             /* sites with the same url and user share a breaker */
    const hs_mailbox *from;         /* never written to; nor is reply_to */
    const hs_mailbox *reply_to;     /* or NULL */
    const char *bounce;             /* envelope sender; "" is <> */
    hs_confirmation *templates;     /* loaded; the courier refreshes them */
    apr_interval_time_t max_age_us; /* HelpSupportMailMaxAge: older ones fail */
    hs_mail_limits limits;
} hs_courier_site;

typedef enum hs_courier_level {
    HS_COURIER_ERROR,   /* the administrator must act */
    HS_COURIER_WARNING, /* something is waiting, or was lost to a limit */
    HS_COURIER_INFO
} hs_courier_level;

/* How the courier tells what happens: called by any of its threads; `text` holds no address and no
 * message. */
typedef void hs_courier_log(void *baton, hs_courier_level level, const char *text);

typedef struct hs_courier_opts {
    const char *host; /* this machine's name */
    int connections;  /* sender threads, 1 … HS_SENDERS_MAX; each keeps one connection to each
                         relay that it used */
    apr_interval_time_t poll_us; /* how often to look without being woken, jitter comes on top */
    int journal_fd; /* file for hs_journal.h, open for reading and writing, that only couriers of
                       this machine and database use, one after the other. 0: none; then a kill -9
                       sends more mails twice, and some wait for their lease to run out */
    hs_courier_log *log;
    void *log_baton;
} hs_courier_opts;

/* One database's mails, claimed, composed, sent and finished by `connections` sender threads and
 * the thread that calls hs_courier_run. */
typedef struct hs_courier hs_courier;

/* Make a courier of `sites` (array of hs_courier_site) on `store`; starts no thread. Lives in
 * `pool`. */
hs_error *hs_courier_create(hs_courier **courier, const hs_courier_opts *opts, hs_store *store,
                            const apr_array_header_t *sites, apr_pool_t *pool) HS_MUSTCHECK;

/* Free what the courier that had the journal before was sending, start the sender threads, and work
 * until hs_courier_stop; then drain, join the threads and return. Call once, from a thread of its
 * own. */
void hs_courier_run(hs_courier *courier);

/* There may be new mail: look now. Thread: any; cheap, never blocks. */
void hs_courier_wake(hs_courier *courier);

/* Claim no more, let what is being sent end within `drain_us` from now, then cut it off. Returns at
 * once; may be called again with a shorter time (graceful stop, then stop). Thread: any. */
void hs_courier_stop(hs_courier *courier, apr_interval_time_t drain_us);

#endif
