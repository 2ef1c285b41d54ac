/* hs_indexer.c - layer 8: keeps the index of words up with new tickets; host-free. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_indexer.h"

#include "hs_clock.h"
#include "hs_store_index.h"

#include <apr_strings.h>

/* Between two rounds, however many tickets come: each reads the fences of all segments. */
#define PACE_US apr_time_from_sec(1)

/* A node that stores nothing looks for what others left, when they were stopped. */
#define IDLE_US apr_time_from_sec(30)

/* After trouble, about which a line is written once in a while. */
#define TROUBLE_US apr_time_from_sec(10)
#define TOLD_US apr_time_from_sec(60)

struct hs_indexer {
    hs_store *store;
    hs_indexer_log *log;
    void *baton;
    pthread_mutex_t mutex;
    pthread_cond_t news;
    int is_woken; /* the next two are guarded by the mutex */
    int is_stopped;
    apr_time_t told_us; /* of the running thread alone; 0: never */
    apr_pool_t *pool;   /* with an allocator of its own, cleared after each move */
};

hs_error *hs_indexer_create(hs_indexer **indexer, hs_store *store, hs_indexer_log *log, void *baton,
                            apr_pool_t *pool)
{
    hs_indexer *self = apr_pcalloc(pool, sizeof(*self));

    self->store = store;
    self->log = log;
    self->baton = baton;
    *indexer = self;
    if (pthread_mutex_init(&self->mutex, NULL) || hs_clock_cond_init(&self->news)) {
        return hs_error_make(pool, HS_UNAVAILABLE, "no mutex for the thread that keeps the index");
    }
    return NULL;
}

void hs_indexer_wake(hs_indexer *self)
{
    pthread_mutex_lock(&self->mutex);
    self->is_woken = 1;
    pthread_cond_signal(&self->news);
    pthread_mutex_unlock(&self->mutex);
}

void hs_indexer_stop(hs_indexer *self)
{
    pthread_mutex_lock(&self->mutex);
    self->is_stopped = 1;
    pthread_cond_signal(&self->news);
    pthread_mutex_unlock(&self->mutex);
}

static int is_stopped(hs_indexer *self)
{
    int stopped;

    pthread_mutex_lock(&self->mutex);
    stopped = self->is_stopped;
    pthread_mutex_unlock(&self->mutex);
    return stopped;
}

/* Wait so long, and then until there are new tickets, but not for ever. */
static void wait_for_news(hs_indexer *self, apr_interval_time_t least_us)
{
    apr_time_t now = hs_clock_now();

    pthread_mutex_lock(&self->mutex);
    while (!self->is_stopped && hs_clock_now() < now + least_us) {
        (void)hs_clock_cond_wait(&self->news, &self->mutex, now + least_us);
    }
    while (!self->is_stopped && !self->is_woken && hs_clock_now() < now + IDLE_US) {
        (void)hs_clock_cond_wait(&self->news, &self->mutex, now + IDLE_US);
    }
    self->is_woken = 0;
    pthread_mutex_unlock(&self->mutex);
}

static void tell(hs_indexer *self, const hs_error *error)
{
    apr_time_t now = hs_clock_now();

    if (!self->told_us || now - self->told_us >= TOLD_US) {
        self->told_us = now;
        self->log(self->baton, apr_psprintf(self->pool,
                                            "the index of words is not kept up, so searches get "
                                            "slower: %s",
                                            error->text));
    }
}

/* Move what waits. Returns how long to rest: where more came meanwhile, it can wait. */
static apr_interval_time_t work(hs_indexer *self)
{
    hs_error *error = NULL;
    int moved = HS_STORE_INDEX_MAX;

    while (!error && moved == HS_STORE_INDEX_MAX && !is_stopped(self)) {
        apr_pool_clear(self->pool);
        error = hs_store_index(self->store, &moved, self->pool);
    }
    if (error) {
        tell(self, error);
        hs_indexer_wake(self); /* what was not done is there still, also where no news come */
        return TROUBLE_US;
    }
    return PACE_US;
}

/* A move may take many megabytes; nobody needs them until the next one. */
static void make_pool(hs_indexer *self)
{
    apr_allocator_t *allocator;

    apr_allocator_create(&allocator);
    apr_allocator_max_free_set(allocator, 1);
    apr_pool_create_unmanaged_ex(&self->pool, NULL, allocator);
    apr_allocator_owner_set(allocator, self->pool);
}

void hs_indexer_run(hs_indexer *self)
{
    make_pool(self);
    while (!is_stopped(self)) {
        apr_interval_time_t rest_us = work(self);

        apr_pool_clear(self->pool);
        wait_for_news(self, rest_us);
    }
    apr_pool_destroy(self->pool);
}
