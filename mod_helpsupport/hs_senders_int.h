/* hs_senders_int.h - layer 6: what the threads and the giver share; nobody else includes it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_SENDERS_INT_H
#define HS_SENDERS_INT_H

#include "hs_senders.h"

#include <pthread.h>

typedef struct hs_relay {
    const hs_smtp_opts *opts;
    hs_breaker breaker;
    hs_job *first; /* given, not begun */
    hs_job **last;
    int queued;
    apr_interval_time_t pace_us; /* how long a mail takes, lately */
    char reply[HS_SMTP_REPLY_SIZE];
} hs_relay;

typedef struct hs_sender_thread {
    struct hs_senders *all;
    pthread_t id;
    pthread_cond_t called;
    struct hs_sender_thread *below; /* in the stack of those that rest */
    int rests;
    int has_connections;
    hs_smtp **smtp; /* by relay; NULL until used */
    apr_pool_t *pool;
    apr_uint32_t dice;
} hs_sender_thread;

struct hs_senders {
    hs_senders_opts opts;
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t news;   /* for the giver */
    hs_relay *relays;
    hs_sender_thread *threads;
    int thread_count;
    hs_sender_thread *resting; /* the one that sent last on top: its connection is the freshest */
    int next_relay;
    int queued;
    int sending;
    hs_job *done;
    hs_job **done_last;
    int done_count;
    apr_time_t done_since;
    int woken;
    int has_trouble;
    int giver_has_more;
    int is_aborted;
    int is_over;
};

/* What a thread runs. */
void *hs_sender_thread_run(void *thread);

/* Call as many resting threads as there is work for. Under the mutex. */
void hs_senders_call(hs_senders *senders);

/* Whether the giver has something to do. Under the mutex. */
int hs_senders_is_worth_it(const hs_senders *senders);

#endif
