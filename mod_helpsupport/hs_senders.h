/* hs_senders.h - layer 5: threads that each send one mail at a time to any of some relays. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_SENDERS_H
#define HS_SENDERS_H

#include "hs_breaker.h"
#include "hs_delivery.h"

#define HS_SENDERS_MAX 64

/* A mail to send. The giver fills in the first part and leaves it alone until it comes back. */
typedef struct hs_job {
    int relay; /* index of the relay */
    hs_smtp_mail mail;
    int tries;
    void *baton; /* the giver's */

    hs_smtp_outcome outcome; /* where it was sent */
    hs_verdict verdict;
    apr_time_t given_us;
    struct hs_job *next;
} hs_job;

typedef struct hs_senders_opts {
    const hs_smtp_opts *const *relays; /* must outlive the senders */
    int relay_count;                   /* 1 and up */
    int threads;                       /* 1 … HS_SENDERS_MAX */
    /* Called by the sending thread as soon as a relay has taken a mail, before anything else. */
    void (*sent)(void *baton, hs_job *job);
    void *baton;
} hs_senders_opts;

/* Where a relay has trouble its mails wait, and the other relays' go on: no relay may occupy the
 * last thread while there are others. */
typedef struct hs_senders hs_senders;

/* Make it; starts no thread. Lives in `pool`, which no thread of it touches. */
hs_error *hs_senders_create(hs_senders **senders, const hs_senders_opts *opts,
                            apr_pool_t *pool) HS_MUSTCHECK;

/* Start the threads. HS_UNAVAILABLE where the system gives none at all. Then, until hs_senders_join
 * returns, the calls below are for one thread, except hs_senders_wake. */
hs_error *hs_senders_start(hs_senders *senders, apr_pool_t *pool) HS_MUSTCHECK;

/* How many more mails for `relay` can be given: those that may start now, and, where mails go out
 * fast, as many as will have started within some 25 ms. */
int hs_senders_room(hs_senders *senders, int relay);

/* Give a mail. */
void hs_senders_give(hs_senders *senders, hs_job *job);

/* Why hs_senders_wait returned. */
typedef struct hs_senders_report {
    hs_job *done; /* that came to an end, in order; a list by `next` */
    int woken;    /* hs_senders_wake was called */
    int busy;     /* mails still given */
} hs_senders_report;

/* Wait until it is worth to do something: woken; mails came to an end and are many, or have waited
 * 50 ms, or were the last, or there is room for others where the giver `has_more`; a relay has
 * trouble; or it is `until` (hs_clock_now). */
void hs_senders_wait(hs_senders_report *report, hs_senders *senders, apr_time_t until,
                     int has_more);

/* End the wait, now or the next one. Thread: any; never blocks for long. */
void hs_senders_wake(hs_senders *senders);

/* Take back the mails that no thread has begun with and whose relay has trouble, or that were given
 * before `given_before` (hs_clock_now): a list. */
hs_job *hs_senders_retract(hs_senders *senders, apr_time_t given_before);

/* How `relay` is, and what it said last when it had trouble. */
typedef struct hs_relay_look {
    apr_interval_time_t down_us; /* since its trouble began; 0: none */
    apr_time_t due_us;           /* when it will be probed; 0: nothing to wait for */
    char reply[HS_SMTP_REPLY_SIZE];
} hs_relay_look;
void hs_senders_look(hs_relay_look *look, hs_senders *senders, int relay);

/* Begin with no mail any more and cut off what is being sent; results come as usual. */
void hs_senders_abort(hs_senders *senders);

/* End the threads, once nothing is given any more. */
void hs_senders_join(hs_senders *senders);

#endif
