/* hs_watch.c - layer 2: a thread that looks at something once a second. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_watch.h"

#include "hs_clock.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct hs_watch {
    void (*look)(void *baton);
    void *baton;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    int is_over;
};

static void *run(void *data)
{
    hs_watch *self = data;

    pthread_mutex_lock(&self->mutex);
    while (!self->is_over) {
        (void)hs_clock_cond_wait(&self->ended, &self->mutex, hs_clock_now() + APR_USEC_PER_SEC);
        if (!self->is_over) {
            self->look(self->baton);
        }
    }
    pthread_mutex_unlock(&self->mutex);
    return NULL;
}

/* Signals stay with the threads that expect them: prefork's handler would end the process from
 * here. */
static int start_thread(hs_watch *self)
{
    sigset_t all;
    sigset_t before;
    int status;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    status = pthread_create(&self->thread, NULL, run, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status == 0;
}

hs_watch *hs_watch_start(void (*look)(void *baton), void *baton)
{
    hs_watch *self = calloc(1, sizeof(*self));

    if (!self) {
        return NULL;
    }
    self->look = look;
    self->baton = baton;
    pthread_mutex_init(&self->mutex, NULL);
    if (hs_clock_cond_init(&self->ended) || !start_thread(self)) {
        free(self);
        return NULL;
    }
    return self;
}

void hs_watch_stop(hs_watch *watch)
{
    if (!watch) {
        return;
    }
    pthread_mutex_lock(&watch->mutex);
    watch->is_over = 1;
    pthread_cond_signal(&watch->ended);
    pthread_mutex_unlock(&watch->mutex);
    pthread_join(watch->thread, NULL);
    pthread_cond_destroy(&watch->ended);
    pthread_mutex_destroy(&watch->mutex);
    free(watch);
}
