/* hs_group.c - layer 5: group commit: what waits at the same moment is written together. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_group.h"

#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>

typedef enum waiter_state { WAITING = 0, TAKEN, DONE } waiter_state;

/* One caller of hs_group_join, on its own stack. */
typedef struct waiter {
    void *item;
    apr_time_t deadline;
    waiter_state state;
    apr_thread_cond_t *wake; /* one for each, so that nobody wakes in vain */
    struct waiter *next;
} waiter;

struct hs_group {
    hs_group_run *run;
    void *baton;
    int max;
    apr_thread_mutex_t *mutex; /* guards what follows, and every waiter */
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

static void append(hs_group *group, waiter *self)
{
    *group->end = self;
    group->end = &self->next;
}

/* If nobody leads, the first who waits has to. */
static void wake_next_leader(hs_group *group)
{
    if (!group->is_led && group->first) {
        apr_thread_cond_signal(group->first->wake);
    }
}

static void give_up(hs_group *group, const waiter *self)
{
    waiter **link = &group->first;

    while (*link != self) {
        link = &(*link)->next;
    }
    *link = self->next;
    if (group->end == &self->next) {
        group->end = link;
    }
    wake_next_leader(group);
}

/* Wait until the item is written or it is this one's turn to lead: returns 1, or 0 where the
 * deadline passed before anybody took the item. With the mutex held. */
static int wait_for_turn(hs_group *group, waiter *self)
{
    while (self->state != DONE && (group->is_led || group->first != self)) {
        apr_interval_time_t left = self->deadline - apr_time_now();

        if (self->state == TAKEN) {
            apr_thread_cond_wait(self->wake, group->mutex);
        } else if (left > 0) {
            apr_thread_cond_timedwait(self->wake, group->mutex, left);
        } else {
            give_up(group, self);
            return 0;
        }
    }
    return 1;
}

/* Take what waits from the front of the queue; returns how many. With the mutex held. */
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

/* Lead one group, then pass it on: nobody writes for others when its own item is done. The waiters
 * are woken with the mutex held, because each is gone as soon as its thread runs. */
static void lead(hs_group *group, apr_pool_t *pool)
{
    waiter **taken = apr_palloc(pool, sizeof(waiter *) * (apr_size_t)group->max);
    void **items = apr_palloc(pool, sizeof(void *) * (apr_size_t)group->max);
    apr_time_t deadline;
    int count = take(group, taken, items, &deadline);

    group->is_led = 1;
    apr_thread_mutex_unlock(group->mutex);
    group->run(group->baton, items, count, deadline, pool);
    apr_thread_mutex_lock(group->mutex);
    group->is_led = 0;
    for (int i = 0; i < count; i++) {
        taken[i]->state = DONE;
        apr_thread_cond_signal(taken[i]->wake);
    }
    wake_next_leader(group);
}

hs_error *hs_group_join(hs_group *group, void *item, apr_time_t deadline, apr_pool_t *pool)
{
    waiter self = {.item = item, .deadline = deadline};
    int has_turn;

    if (apr_thread_cond_create(&self.wake, pool) != APR_SUCCESS) {
        return hs_error_make(pool, HS_UNAVAILABLE, "no condition variable can be made");
    }
    apr_thread_mutex_lock(group->mutex);
    append(group, &self);
    has_turn = wait_for_turn(group, &self);
    if (has_turn && self.state == WAITING) {
        lead(group, pool);
    }
    apr_thread_mutex_unlock(group->mutex);
    apr_thread_cond_destroy(self.wake);
    return has_turn
               ? NULL
               : hs_error_make(pool, HS_UNAVAILABLE, "the writers before this one took too long");
}
