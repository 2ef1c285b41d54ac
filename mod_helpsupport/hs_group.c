/* hs_group.c - layer 5: group commit: what waits at the same moment is done together. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_group.h"

#include "hs_clock.h"

#include <apr_thread_mutex.h>

#include <errno.h>
#include <semaphore.h>
#include <time.h>

/* After so long a wait, those who lead are stuck. */
#define STUCK_US (APR_USEC_PER_SEC / 10)

typedef enum waiter_state { WAITING = 0, TAKEN, LEADING } waiter_state;

/* One caller of hs_group_join, on its own stack. */
typedef struct waiter {
    void *item;
    apr_time_t deadline;
    waiter_state state;
    /* Posted once: when the item is done, or when it is this one's turn to lead. Not a condition
     * variable: whoever is woken by that must first get the mutex, for which all of a group would
     * queue again. */
    sem_t wake;
    /* Set before: what is done by then is seen by C's own rules, too. ThreadSanitizer knows no
     * sem_clockwait. */
    _Atomic int is_woken;
    struct waiter *next;
} waiter;

struct hs_group {
    hs_group_run *run;
    void *baton;
    hs_group_bounds bounds;
    apr_thread_mutex_t *mutex; /* guards what follows, and the state of every waiter in the queue */
    int leaders;               /* that are at it, or were told to be */
    int waiting;
    waiter *first; /* who waits; leaders are not among them */
    waiter **end;
};

hs_error *hs_group_create(hs_group **out, hs_group_bounds bounds, hs_group_run *run, void *baton,
                          apr_pool_t *pool)
{
    hs_group *group = apr_pcalloc(pool, sizeof(*group));

    group->run = run;
    group->baton = baton;
    group->bounds = bounds;
    group->end = &group->first;
    if (apr_thread_mutex_create(&group->mutex, APR_THREAD_MUTEX_DEFAULT, pool) != APR_SUCCESS) {
        return hs_error_make(pool, HS_CONFIGURATION, "no mutex can be made");
    }
    *out = group;
    return NULL;
}

/* Whether one more may lead. With the mutex held. */
static int needs_leader(const hs_group *group)
{
    return group->leaders == 0 ||
           (group->leaders < group->bounds.leaders && group->waiting >= group->bounds.crowd);
}

/* Lead at once or queue; returns which. With the mutex held. */
static int enter(hs_group *group, waiter *self)
{
    if (needs_leader(group)) {
        group->leaders++;
        self->state = LEADING;
        return 1;
    }
    *group->end = self;
    group->end = &self->next;
    group->waiting++;
    return 0;
}

/* The first who waits, taken out of the queue, or NULL. With the mutex held. */
static waiter *take_first(hs_group *group, waiter_state state)
{
    waiter *first = group->first;

    if (!first) {
        return NULL;
    }
    group->first = first->next;
    if (!group->first) {
        group->end = &group->first;
    }
    group->waiting--;
    first->state = state;
    return first;
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
    group->waiting--;
}

/* The other one may be gone as soon as this is called. */
static void wake(waiter *other)
{
    other->is_woken = 1;
    sem_post(&other->wake);
}

/* Returns 1, or 0 where `deadline` passed before. */
static int wait_for_wake(waiter *self, apr_time_t deadline)
{
    struct timespec until = {.tv_sec = (time_t)apr_time_sec(deadline),
                             .tv_nsec = (long)apr_time_usec(deadline) * 1000};
    int failed;

    do {
        failed = sem_clockwait(&self->wake, CLOCK_MONOTONIC, &until);
    } while (failed && errno == EINTR);
    return !failed && self->is_woken;
}

/* Lead after all, where one more may and the others are stuck with theirs: on a connection that
 * hangs, for what a free one would give. Returns whether it does. */
static int lead_anyway(hs_group *group, waiter *self)
{
    int does;

    apr_thread_mutex_lock(group->mutex);
    does = self->state == WAITING && group->leaders < group->bounds.leaders;
    if (does) {
        leave(group, self);
        group->leaders++;
        self->state = LEADING;
    }
    apr_thread_mutex_unlock(group->mutex);
    return does;
}

/* Wait until the item is done or it is this one's turn to lead: returns 1, or 0 where the
 * deadline passed before anybody took the item. A leader's every step is bounded, so whoever was
 * taken waits for its end. */
static int wait_for_turn(hs_group *group, waiter *self)
{
    apr_time_t patience = hs_clock_now() + STUCK_US;
    int is_over;

    if (patience < self->deadline && (wait_for_wake(self, patience) || lead_anyway(group, self))) {
        return 1;
    }
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

/* The leader's group: itself and who waits, from the front; returns how many. With the mutex
 * held. */
static int gather(hs_group *group, waiter *self, waiter **taken)
{
    int count = 0;

    for (waiter *next = self; next; next = take_first(group, TAKEN)) {
        taken[count++] = next;
        if (count == group->bounds.items) {
            break;
        }
    }
    return count;
}

/* Pass the lead to the first who waits, unless others lead and a crowd has yet to gather. With the
 * mutex held; returns whom to wake. */
static waiter *pass_on(hs_group *group)
{
    waiter *next;

    group->leaders--;
    next = needs_leader(group) ? take_first(group, LEADING) : NULL;
    group->leaders += next != NULL;
    return next;
}

/* Lead one group, then pass it on: nobody works for others when its own item is done. The next
 * leader is woken first, so that the disk does not idle while the others of this group answer. Each
 * waiter is gone as soon as it is woken. */
static void lead(hs_group *group, waiter *self, apr_pool_t *pool)
{
    apr_size_t most = (apr_size_t)group->bounds.items;
    waiter **taken = apr_palloc(pool, sizeof(waiter *) * most);
    void **items = apr_palloc(pool, sizeof(void *) * most);
    apr_time_t deadline = 0;
    waiter *next;
    int count;

    apr_thread_mutex_lock(group->mutex);
    count = gather(group, self, taken);
    apr_thread_mutex_unlock(group->mutex);
    for (int i = 0; i < count; i++) {
        items[i] = taken[i]->item;
        deadline = taken[i]->deadline > deadline ? taken[i]->deadline : deadline;
    }
    group->run(group->baton, items, count, deadline, pool);
    apr_thread_mutex_lock(group->mutex);
    next = pass_on(group);
    apr_thread_mutex_unlock(group->mutex);
    if (next) {
        wake(next);
    }
    for (int i = 0; i < count; i++) {
        if (taken[i] != self) {
            wake(taken[i]);
        }
    }
}

hs_error *hs_group_join(hs_group *group, void *item, apr_time_t deadline, apr_pool_t *pool)
{
    waiter self = {.item = item, .deadline = deadline};
    int is_done = 1;
    int leads;

    if (sem_init(&self.wake, 0, 0) != 0) {
        return hs_error_make(pool, HS_UNAVAILABLE, "no semaphore can be made");
    }
    apr_thread_mutex_lock(group->mutex);
    leads = enter(group, &self);
    apr_thread_mutex_unlock(group->mutex);
    if (!leads) {
        is_done = wait_for_turn(group, &self);
        leads = self.state == LEADING;
    }
    if (leads) {
        lead(group, &self, pool);
    }
    sem_destroy(&self.wake);
    return is_done ? NULL
                   : hs_error_make(pool, HS_UNAVAILABLE, "those before this one took too long");
}
