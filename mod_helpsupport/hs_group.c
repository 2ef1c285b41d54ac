/* hs_group.c - layer 5: group commit: what waits at the same moment is written together. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_group.h"

#include <apr_thread_mutex.h>

#include <errno.h>
#include <semaphore.h>

typedef enum waiter_state { WAITING = 0, TAKEN, LEADING, DONE } waiter_state;

/* One caller of hs_group_join, on its own stack. */
typedef struct waiter {
    void *item;
    apr_time_t deadline;
    waiter_state state;
    /* Posted once: when the item is written, or when it is this one's turn to lead. Not a condition
     * variable: whoever is woken by that must first get the mutex, for which all of a group would
     * queue again. */
    sem_t wake;
    struct waiter *next;
} waiter;

struct hs_group {
    hs_group_run *run;
    void *baton;
    int max;
    apr_thread_mutex_t *mutex; /* guards what follows, and the state of every waiter in the queue */
    int is_led;
    waiter *first;
    waiter **end;
};

hs_error *hs_group_create(hs_group **out, int max, hs_group_run *run, void *baton, apr_pool_t *pool)
{
    hs_group *group = apr_pcalloc(pool, sizeof(*group));

    group->run = run;
    group->baton = baton;
    group->max = max;
    group->end = &group->first;
    if (apr_thread_mutex_create(&group->mutex, APR_THREAD_MUTEX_DEFAULT, pool) != APR_SUCCESS) {
        return hs_error_make(pool, HS_CONFIGURATION, "no mutex can be made");
    }
    *out = group;
    return NULL;
}

/* Queue; returns whether to lead at once, because nobody does. With the mutex held. */
static int enter(hs_group *group, waiter *self)
{
    int is_first = !group->is_led;

    *group->end = self;
    group->end = &self->next;
    if (is_first) {
        group->is_led = 1;
        self->state = LEADING;
    }
    return is_first;
}

/* Take it out of the queue: its deadline has passed. With the mutex held. */
static void leave(hs_group *group, const waiter *self)
{
    waiter **link = &group->first;

    while (*link != self) {
        link = &(*link)->next;
    }
    *link = self->next;
    if (group->end == &self->next) {
        group->end = link;
    }
}

/* Returns 1, or 0 where `deadline` passed before. */
static int wait_for_wake(waiter *self, apr_time_t deadline)
{
    struct timespec until = {.tv_sec = (time_t)apr_time_sec(deadline),
                             .tv_nsec = (long)apr_time_usec(deadline) * 1000};
    int failed;

    do {
        failed = sem_timedwait(&self->wake, &until);
    } while (failed && errno == EINTR);
    return !failed;
}

/* Wait until the item is written or it is this one's turn to lead: returns 1, or 0 where the
 * deadline passed before anybody took the item. A leader's every step is bounded, so whoever was
 * taken waits for its end. */
static int wait_for_turn(hs_group *group, waiter *self)
{
    int is_over;

    if (wait_for_wake(self, self->deadline)) {
        return 1;
    }
    apr_thread_mutex_lock(group->mutex);
    is_over = self->state == WAITING;
    if (is_over) {
        leave(group, self);
    }
    apr_thread_mutex_unlock(group->mutex);
    while (!is_over && sem_wait(&self->wake) != 0) {
    }
    return !is_over;
}

/* Take what waits from the front of the queue, which is the leader itself and others; returns how
 * many. With the mutex held. */
static int take(hs_group *group, waiter **taken, void **items, apr_time_t *deadline)
{
    int count = 0;

    *deadline = 0;
    while (group->first && count < group->max) {
        waiter *next = group->first;

        group->first = next->next;
        next->state = TAKEN;
        taken[count] = next;
        items[count++] = next->item;
        if (next->deadline > *deadline) {
            *deadline = next->deadline;
        }
    }
    if (!group->first) {
        group->end = &group->first;
    }
    return count;
}

/* Pass the lead to the first who waits. With the mutex held; returns whom to wake. */
static waiter *pass_on(hs_group *group)
{
    waiter *next = group->first;

    group->is_led = next != NULL;
    if (next) {
        next->state = LEADING;
    }
    return next;
}

/* Lead one group, then pass it on: nobody writes for others when its own item is done. The next
 * leader is woken first, so that the disk does not idle while the others of this group answer. Each
 * waiter is gone as soon as it is woken. */
static void lead(hs_group *group, const waiter *self, apr_pool_t *pool)
{
    waiter **taken = apr_palloc(pool, sizeof(waiter *) * (apr_size_t)group->max);
    void **items = apr_palloc(pool, sizeof(void *) * (apr_size_t)group->max);
    apr_time_t deadline;
    waiter *next;
    int count;

    apr_thread_mutex_lock(group->mutex);
    count = take(group, taken, items, &deadline);
    apr_thread_mutex_unlock(group->mutex);
    group->run(group->baton, items, count, deadline, pool);
    apr_thread_mutex_lock(group->mutex);
    for (int i = 0; i < count; i++) {
        taken[i]->state = DONE;
    }
    next = pass_on(group);
    apr_thread_mutex_unlock(group->mutex);
    if (next) {
        sem_post(&next->wake);
    }
    for (int i = 0; i < count; i++) {
        if (taken[i] != self) {
            sem_post(&taken[i]->wake);
        }
    }
}

hs_error *hs_group_join(hs_group *group, void *item, apr_time_t deadline, apr_pool_t *pool)
{
    waiter self = {.item = item, .deadline = deadline};
    int is_written = 1;
    int leads;

    if (sem_init(&self.wake, 0, 0) != 0) {
        return hs_error_make(pool, HS_UNAVAILABLE, "no semaphore can be made");
    }
    apr_thread_mutex_lock(group->mutex);
    leads = enter(group, &self);
    apr_thread_mutex_unlock(group->mutex);
    if (!leads) {
        is_written = wait_for_turn(group, &self);
        leads = self.state == LEADING;
    }
    if (leads) {
        lead(group, &self, pool);
    }
    sem_destroy(&self.wake);
    return is_written
               ? NULL
               : hs_error_make(pool, HS_UNAVAILABLE, "the writers before this one took too long");
}
