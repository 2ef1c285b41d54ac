/* test_group.c - the queue of group commit: who leads, who waits, who gives up. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_group.h"

#include "hs_clock.h"

#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#define THREADS 24
#define ROUNDS 200
#define MAX 8
#define PATIENCE_US apr_time_from_sec(5)

/* What `run` sees of itself; no more than `leaders` threads may be in it. */
typedef struct journal {
    int leaders;
    atomic_int inside;
    atomic_int overlaps;
    atomic_int most_inside;
    atomic_int runs;
    atomic_int largest;
    atomic_int items;
    apr_interval_time_t sleep_us;
} journal;

typedef struct item {
    int value;
    int answer;
    int times;
} item;

static void note_most(atomic_int *most, int value)
{
    int before = atomic_load(most);

    while (value > before && !atomic_compare_exchange_weak(most, &before, value)) {
    }
}

static void run(void *baton, void **items, int count, apr_time_t deadline, apr_pool_t *pool)
{
    journal *self = baton;
    int inside = atomic_fetch_add(&self->inside, 1) + 1;

    (void)deadline;
    (void)pool;
    note_most(&self->most_inside, inside);
    if (inside > self->leaders) {
        atomic_fetch_add(&self->overlaps, 1);
    }
    for (int i = 0; i < count; i++) {
        item *one = items[i];

        one->answer = one->value * 2;
        one->times++;
    }
    if (self->sleep_us) {
        apr_sleep(self->sleep_us);
    }
    self->runs++;
    self->items += count;
    note_most(&self->largest, count);
    atomic_fetch_sub(&self->inside, 1);
}

typedef struct worker {
    hs_group *group;
    int index;
    int right;
    int given_up;
    int rounds;
    apr_interval_time_t patience_us;
    int written; /* items that were written although their owner gave up, or twice */
} worker;

static void *join_often(void *data)
{
    worker *self = data;
    apr_pool_t *pool;

    apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    for (int i = 0; i < self->rounds; i++) {
        item one = {.value = self->index * 1000 + i};
        hs_error *error =
            hs_group_join(self->group, &one, hs_clock_now() + self->patience_us, pool);

        if (error) {
            self->given_up += error->code == HS_UNAVAILABLE;
            self->written += one.times != 0;
        } else {
            self->right += one.answer == one.value * 2;
            self->written += one.times != 1;
        }
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
    return NULL;
}

static void run_workers(worker *all, journal *record, int rounds, apr_interval_time_t patience_us,
                        apr_pool_t *pool)
{
    pthread_t threads[THREADS];
    hs_group *group = NULL;

    tap_ok(!hs_group_create(&group,
                            (hs_group_bounds){.leaders = record->leaders, .crowd = 2, .items = MAX},
                            run, record, pool),
           "a queue is made");
    for (int i = 0; i < THREADS; i++) {
        all[i] = (worker){.group = group, .index = i, .rounds = rounds, .patience_us = patience_us};
        pthread_create(&threads[i], NULL, join_often, &all[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
}

static void test_many(int leaders, apr_pool_t *pool)
{
    journal record = {.leaders = leaders, .sleep_us = 200};
    worker all[THREADS];
    int right = 0;
    int wrong = 0;

    run_workers(all, &record, ROUNDS, apr_time_from_sec(60), pool);
    for (int i = 0; i < THREADS; i++) {
        right += all[i].right;
        wrong += all[i].written;
    }
    tap_is_int(right, THREADS * ROUNDS, "everybody gets its own answer");
    tap_is_int(wrong, 0, "each item is written once");
    tap_is_int(record.items, THREADS * ROUNDS, "nothing else is written");
    tap_is_int(record.overlaps, 0, "no more lead at a time than may");
    tap_is_int(record.most_inside, leaders, "and as many do");
    tap_ok(record.runs < THREADS * ROUNDS / 2, "many are written together (%d runs)", record.runs);
    tap_ok(record.largest <= MAX && record.largest > 1, "never more than the bound");
}

static void test_impatient(apr_pool_t *pool)
{
    journal record = {.leaders = 1, .sleep_us = 5000};
    worker all[THREADS];
    int right = 0;
    int given_up = 0;
    int wrong = 0;

    run_workers(all, &record, 20, 6000, pool);
    for (int i = 0; i < THREADS; i++) {
        right += all[i].right;
        given_up += all[i].given_up;
        wrong += all[i].written;
    }
    tap_ok(given_up > 0, "%d give up where leaders are slow", given_up);
    tap_ok(right > 0, "%d are written", right);
    tap_is_int(right + given_up, THREADS * 20, "all others are written");
    tap_is_int(wrong, 0, "nothing that was given up is written");
    tap_is_int(record.items, right, "and nothing else");
}

static void test_alone(apr_pool_t *pool)
{
    journal record = {.leaders = 1};
    hs_group *group = NULL;
    item one = {.value = 21};

    tap_ok(
        !hs_group_create(&group, (hs_group_bounds){.leaders = 1, .items = MAX}, run, &record, pool),
        "a queue is made");
    tap_ok(!hs_group_join(group, &one, 0, pool), "alone, nobody waits, whatever the deadline");
    tap_is_int(one.answer, 42, "and the item is written");
    tap_is_int(record.runs, 1, "at once");
}

/* Item 1 hangs until it is let go. */
typedef struct hanging {
    hs_group *group;
    sem_t begun;
    sem_t let_go;
    apr_pool_t *pool;
} hanging;

static void run_hanging(void *baton, void **items, int count, apr_time_t deadline, apr_pool_t *pool)
{
    hanging *self = baton;
    item *one = items[0];

    (void)count;
    (void)deadline;
    (void)pool;
    if (one->value == 1) {
        sem_post(&self->begun);
        sem_wait(&self->let_go);
    }
    one->times++;
}

static void *join_hanging(void *data)
{
    hanging *self = data;
    item one = {.value = 1};
    hs_error *error = hs_group_join(self->group, &one, hs_clock_now() + PATIENCE_US, self->pool);

    return error || one.times != 1 ? data : NULL;
}

/* A leader whose connection hangs must not hold up who could have another one. */
static void test_stuck_leader(apr_pool_t *pool)
{
    hanging self = {0};
    item two = {.value = 2};
    pthread_t thread;
    void *failed;
    hs_error *error =
        hs_group_create(&self.group, (hs_group_bounds){.leaders = 2, .crowd = 16, .items = MAX},
                        run_hanging, &self, pool);

    tap_ok(!error, "a queue");
    apr_pool_create(&self.pool, NULL);
    sem_init(&self.begun, 0, 0);
    sem_init(&self.let_go, 0, 0);
    pthread_create(&thread, NULL, join_hanging, &self);
    sem_wait(&self.begun);
    error = hs_group_join(self.group, &two, hs_clock_now() + PATIENCE_US, pool);
    tap_ok(!error && two.times == 1, "who waits alone behind a leader that hangs leads another");
    sem_post(&self.let_go);
    pthread_join(thread, &failed);
    tap_ok(!failed, "and the first is done when it is let go");
    sem_destroy(&self.begun);
    sem_destroy(&self.let_go);
    apr_pool_destroy(self.pool);
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_alone(pool);
    test_stuck_leader(pool);
    test_many(1, pool);
    test_many(3, pool);
    test_impatient(pool);
    return tap_done();
}
