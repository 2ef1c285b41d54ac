/* test_store_index.c - the index of words while it is kept: bounds, trouble, several nodes at once.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store_fixture.h"

#include "hs_segment.h"
#include "hs_store_index.h"
#include "hs_store_int.h"
#include "hs_utf8.h"

#include <apr_global_mutex.h>

#include <pthread.h>
#include <stdatomic.h>

#define NODES 3
#define NUMBERS_MAX 20000

static apr_int64_t number_of(const fixture *f, const char *sql)
{
    return apr_atoi64(fixture_ask(f, sql));
}

static int submit(hs_store *store, const char *message, apr_int64_t *number, apr_pool_t *pool)
{
    hs_submit *one = fixture_submission("user", pool);
    int replayed;

    one->ticket->message = message;
    if (!fixture_worked(hs_store_submit(store, one, &replayed, pool))) {
        return 0;
    }
    *number = one->ticket->number;
    return 1;
}

static void submit_many(const fixture *f, int count, const char *message)
{
    apr_int64_t ignored;

    for (int i = 0; i < count; i++) {
        if (!submit(f->store, message, &ignored, f->pool)) {
            fixture_bail_out("no ticket");
        }
    }
}

/* Moves all that waits. Returns how many tickets that were. */
static int index_all(const fixture *f)
{
    int count = 0;
    int moved = 1;

    while (moved) {
        if (!fixture_worked(hs_store_index(f->store, &moved, f->pool))) {
            return -1;
        }
        count += moved;
    }
    return count;
}

static hs_list list_of(const char *words, apr_pool_t *pool)
{
    return (hs_list){.limit = 100,
                     .descending = 1,
                     .count = HS_COUNT_EXACT,
                     .words = hs_utf8_words(words, pool)};
}

/* How many tickets a search lists on one page, where that is what it counts; else -1. */
static int found(const fixture *f, const char *words)
{
    hs_list list = list_of(words, f->pool);
    hs_page page;

    list.limit = HS_LIMIT_MAX;
    if (!fixture_worked(hs_store_list(f->store, &page, &list, f->pool)) ||
        page.total != page.tickets->nelts) {
        return -1;
    }
    return page.tickets->nelts;
}

/* What must be true of the tables after any number of moves. */
static void check_tables(const fixture *f, apr_int64_t tickets)
{
    tap_is_int(number_of(f, "SELECT coalesce(sum(tickets), 0) FROM search_segment") +
                   number_of(f, "SELECT count(*) FROM search_waiting"),
               tickets, "each ticket is in one place");
    tap_is_int(number_of(f, "SELECT count(*) FROM search_page WHERE segment NOT IN "
                            "(SELECT id FROM search_segment)"),
               0, "no page is left of a segment that was merged");
    tap_is_int(number_of(f, "SELECT count(*) FROM search_segment WHERE id NOT IN "
                            "(SELECT segment FROM search_page)"),
               0, "and each segment has its pages");
}

/* ---- how many segments ---- */

static void test_segments(apr_pool_t *root)
{
    fixture f;
    apr_int64_t most = 0;

    fixture_open(&f, root);
    submit_many(&f, HS_STORE_WAITING_MIN - 1, "early words");
    tap_is_int(index_all(&f), 0, "a few tickets wait");
    submit_many(&f, 1, "early words");
    tap_is_int(index_all(&f), HS_STORE_WAITING_MIN, "enough of them are moved");
    f.store->waiting_min = 1;
    for (int i = 0; i < 150; i++) {
        apr_int64_t segments;

        submit_many(&f, i % 3 + 1, "later words");
        (void)index_all(&f);
        segments = number_of(&f, "SELECT count(*) FROM search_segment");
        most = segments > most ? segments : most;
    }
    tap_ok(most > 3, "there are several segments");
    tap_ok(most <= 10, "but as few as the logarithm of the tickets: %d", (int)most);
    check_tables(&f, HS_STORE_WAITING_MIN + 300);
    tap_is_int(found(&f, "lat"), 300, "each is found once");
    fixture_close(&f);
}

/* As an import by hand may leave it: a ticket whose number is far from all others. */
static void insert_by_hand(const fixture *f, const char *number)
{
    (void)fixture_does(f, apr_pstrcat(f->pool,
                                      "INSERT INTO ticket (number, id, user_id, name, "
                                      "phone_number, email, email_key, status, version, "
                                      "created_us, updated_us, message) VALUES (",
                                      number, ", 'far-", number,
                                      "', 'u', 'n', '1', 'e@x.example', 'e@x.example', 0, 1, ",
                                      number, ", ", number, ", 'far away')", NULL));
    (void)fixture_does(f,
                       apr_pstrcat(f->pool, "INSERT INTO search_waiting (ticket, words) VALUES (",
                                   number, ", ' far away')", NULL));
}

/* Moves neither go through all numbers in between nor cease to merge. */
static void test_far_number(apr_pool_t *root)
{
    fixture f;

    fixture_open(&f, root);
    submit_many(&f, 1, "near words"); /* makes the tables */
    f.store->waiting_min = 1;
    (void)index_all(&f);
    insert_by_hand(&f, "1000000000000000");
    (void)index_all(&f);
    for (int i = 0; i < 8; i++) {
        insert_by_hand(&f, apr_itoa(f.pool, 1000 + i));
        tap_is_int(index_all(&f), 1, "a ticket below it is moved");
    }
    tap_ok(number_of(&f, "SELECT count(*) FROM search_segment") <= 5, "segments are merged");
    tap_is_int(found(&f, "far away"), 9, "and all are found");
    fixture_close(&f);
}

/* Which of the segments that there were is still there after another move. */
static int outlives_move(const fixture *f, const char *change)
{
    const char *id = fixture_ask(f, "SELECT max(id) FROM search_segment");

    if (!fixture_does(f, change)) {
        return 0;
    }
    submit_many(f, 1, "another");
    (void)index_all(f);
    return number_of(f, apr_pstrcat(f->pool, "SELECT count(*) FROM search_segment WHERE id = ", id,
                                    NULL)) == 1;
}

static void test_merge_bounds(apr_pool_t *root)
{
    static const char *const reset =
        "UPDATE search_segment SET tickets = 1, fences = '', from_number = to_number";
    fixture f;
    char *fences;

    fixture_open(&f, root);
    f.store->waiting_min = 1;
    submit_many(&f, 1, "first");
    (void)index_all(&f);
    tap_ok(!outlives_move(&f, reset), "a segment that is not larger is merged");
    tap_ok(outlives_move(&f, "UPDATE search_segment SET tickets = 2"), "a larger one is not");
    (void)fixture_does(&f, "DELETE FROM search_page");
    (void)fixture_does(&f, "DELETE FROM search_segment");
    submit_many(&f, 1, "second");
    (void)index_all(&f);
    fences = apr_palloc(f.pool, 16386);
    memset(fences, 'z', 16385);
    fences[16385] = '\0';
    tap_ok(
        outlives_move(&f, apr_pstrcat(f.pool, "UPDATE search_segment SET tickets = 1, fences = '",
                                      fences, "'", NULL)),
        "nor one with too many fences");
    fixture_close(&f);
}

/* A segment that is to be merged is gone, as if another node had merged it meanwhile. */
static void test_segment_gone(apr_pool_t *root)
{
    fixture f;

    if (!fixture_is("sqlite3")) {
        return; /* whose triggers are written otherwise */
    }
    fixture_open(&f, root);
    f.store->waiting_min = 1;
    submit_many(&f, 10, "early");
    (void)index_all(&f);
    submit_many(&f, 10, "late");
    (void)fixture_does(&f, "CREATE TRIGGER other_node AFTER DELETE ON search_waiting "
                           "BEGIN DELETE FROM search_segment; END");
    tap_is_int(index_all(&f), 0, "where a segment is gone, nothing is moved");
    tap_is_int(found(&f, "early") + found(&f, "late"), 20, "nor lost");
    (void)fixture_does(&f, "DROP TRIGGER other_node");
    tap_is_int(index_all(&f), 10, "later it is moved");
    fixture_close(&f);
}

/* ---- tickets in odd places ---- */

static void test_doubles(apr_pool_t *root)
{
    fixture f;

    fixture_open(&f, root);
    f.store->waiting_min = 1;
    submit_many(&f, 20, "double trouble");
    (void)fixture_does(&f, "CREATE TABLE kept AS SELECT * FROM search_waiting");
    (void)index_all(&f);
    (void)fixture_does(&f, "INSERT INTO search_waiting SELECT * FROM kept WHERE ticket > 15");
    tap_is_int(found(&f, "double"), 20, "what waits and is in a segment is found once");
    (void)fixture_does(&f,
                       "UPDATE search_segment SET tickets = 1000"); /* so that it is not merged */
    (void)index_all(&f);
    tap_is_int(number_of(&f, "SELECT count(*) FROM search_segment"), 2, "now it is in two");
    tap_is_int(found(&f, "double"), 20, "what is in two segments, too");
    (void)fixture_does(&f, "UPDATE search_segment SET tickets = 1");
    submit_many(&f, 1, "one more");
    (void)index_all(&f);
    tap_is_int(number_of(&f, "SELECT count(*) FROM search_segment"), 1, "they are merged");
    tap_is_int(found(&f, "double"), 20, "and so is what was in two that were merged");
    fixture_close(&f);
}

static int lists(const fixture *f, hs_list *list, int tickets, int total)
{
    hs_page page;

    return fixture_worked(hs_store_list(f->store, &page, list, f->pool)) &&
           page.tickets->nelts == tickets && (!total || page.total == total);
}

/* By hand, without its words: the index still has it. */
static void test_deleted(apr_pool_t *root)
{
    fixture f;
    hs_list list;

    fixture_open(&f, root);
    f.store->waiting_min = 1;
    f.store->sample = 4;
    submit_many(&f, 30, "mortal");
    (void)index_all(&f);
    submit_many(&f, 10, "mortal");
    (void)fixture_does(&f, "DELETE FROM ticket WHERE number IN (1, 7, 30, 40)");
    list = list_of("mort", f.pool);
    list.count = HS_COUNT_NONE;
    tap_ok(lists(&f, &list, 36, 0), "tickets that were deleted are not listed");
    list.descending = 0;
    tap_ok(lists(&f, &list, 36, 0), "in no order");
    list.sort = HS_SORT_UPDATED;
    tap_ok(lists(&f, &list, 36, 0), "at all");
    list = list_of("mort", f.pool);
    list.statuses = 1;
    tap_ok(lists(&f, &list, 36, 36), "nor counted, where more than words is asked for");
    fixture_close(&f);
}

/* ---- trouble ---- */

/* Nobody else may write, and on the servers nobody may take words away. */
static const char *lock_words(void)
{
    if (fixture_is("pgsql")) {
        return "LOCK TABLE search_waiting IN EXCLUSIVE MODE";
    }
    return fixture_is("mysql") ? "SELECT count(*) FROM search_waiting FOR UPDATE" : "SELECT 1";
}

static void test_locked(apr_pool_t *root)
{
    fixture f;
    hs_db_opts hasty;
    hs_store *store;
    hs_conn *conn;
    hs_rows *rows;
    hs_error *error;
    int moved = 1;

    fixture_open(&f, root);
    hasty = f.opts;
    hasty.timeout_us = apr_time_from_sec(1);
    if (!fixture_worked(hs_store_create(&store, &hasty, NULL, NULL, f.pool))) {
        fixture_bail_out("no store");
    }
    f.store->waiting_min = store->waiting_min = 1;
    submit_many(&f, 20, "patient");
    error = hs_db_acquire(f.beside, &conn, hs_db_deadline(f.beside), f.pool);
    error = error ? error : hs_db_begin(f.beside, conn, hs_db_deadline(f.beside), f.pool);
    error = error ? error
                  : (fixture_is("pgsql") ? hs_conn_execute(conn, lock_words(), f.pool)
                                         : hs_conn_ask(conn, &rows, lock_words(), f.pool));
    tap_ok(fixture_worked(error), "another program holds what a move needs");
    error = hs_store_index(store, &moved, f.pool);
    tap_ok(error && error->code == HS_UNAVAILABLE, "a move gives up");
    tap_is_int(moved, 0, "and moves nothing");
    hs_db_release(f.beside, conn);
    check_tables(&f, 20);
    tap_is_int(found(&f, "patient"), 20, "and all are found");
    tap_is_int(index_all(&f), 20, "later it moves them");
    tap_is_int(found(&f, "patient"), 20, "where they are found");
    fixture_close(&f);
}

/* A session that ends while it commits: a trigger of the commit ends its own, once. */
static void test_unknown_commit(apr_pool_t *root)
{
    fixture f;

    if (!fixture_is("pgsql")) {
        return; /* 23-search.t ends sessions of the others */
    }
    fixture_open(&f, root);
    f.store->waiting_min = 1;
    submit_many(&f, 20, "unlucky");
    tap_ok(
        fixture_does(&f, "CREATE SEQUENCE tries") &&
            fixture_does(&f, "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                             "IF nextval('tries') < 3 THEN "
                             "PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1); "
                             "END IF; RETURN NULL; END $$") &&
            fixture_does(&f, "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON search_segment "
                             "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION die()"),
        "who commits a move loses the connection");
    tap_is_int(index_all(&f), 20, "then the move is tried again");
    tap_is_int(number_of(&f, "SELECT nextval('tries')"), 4, "twice");
    check_tables(&f, 20);
    tap_is_int(found(&f, "unlucky"), 20, "and each is found once");
    fixture_close(&f);
}

/* ---- several nodes at once ---- */

/* What all threads know. */
typedef struct desk {
    hs_store *nodes[NODES];
    apr_int64_t numbers[NUMBERS_MAX]; /* of the tickets that are committed */
    atomic_int count;
    pthread_mutex_t mutex; /* of who adds one */
    atomic_int is_over;
    atomic_int has_failed;
    atomic_int missed;
    atomic_int doubled;
    atomic_int miscounted;
    atomic_int searches;
    atomic_int moves;
} desk;

typedef struct worker {
    desk *desk;
    hs_store *node;
    int id;
    int work; /* how many tickets to submit */
    pthread_t thread;
    apr_pool_t *pool;
} worker;

static void fail(worker *self, const hs_error *error)
{
    if (!fixture_worked(error)) {
        atomic_fetch_add(&self->desk->has_failed, 1);
    }
}

static void *submit_tickets(void *data)
{
    worker *self = data;

    for (int i = 0; i < self->work && !atomic_load(&self->desk->has_failed); i++) {
        const char *message = i % 10 ? "common words" : "common and rare words";
        apr_int64_t number = 0;

        if (!submit(self->node, message, &number, self->pool)) {
            atomic_fetch_add(&self->desk->has_failed, 1);
            break;
        }
        pthread_mutex_lock(&self->desk->mutex);
        self->desk->numbers[atomic_load(&self->desk->count)] = number;
        atomic_fetch_add(&self->desk->count, 1);
        pthread_mutex_unlock(&self->desk->mutex);
        apr_pool_clear(self->pool);
        apr_sleep(1000); /* or the others hardly get their turn */
    }
    return NULL;
}

static void *index_tickets(void *data)
{
    worker *self = data;
    unsigned round = 7u * (unsigned)self->id;

    while (!atomic_load(&self->desk->is_over)) {
        int moved;

        self->node->waiting_min = 1 + (int)(round++ % 20);
        fail(self, hs_store_index(self->node, &moved, self->pool));
        atomic_fetch_add(&self->desk->moves, moved > 0);
        apr_pool_clear(self->pool);
        if (!moved) {
            apr_sleep(1000);
        }
    }
    return NULL;
}

/* Follow a list to its end; seen[number] counts. Returns 0 after a failure. */
static int walk(worker *self, hs_list *list, char *seen)
{
    hs_page page = {.has_more = 1};

    while (page.has_more) {
        const hs_ticket *last = NULL;
        hs_error *error = hs_store_list(self->node, &page, list, self->pool);

        if (error) {
            fail(self, error);
            return 0;
        }
        for (int i = 0; i < page.tickets->nelts; i++) {
            last = APR_ARRAY_IDX(page.tickets, i, const hs_ticket *);
            seen[last->number] = (char)(seen[last->number] + 1);
        }
        if (!last) {
            return !page.has_more;
        }
        list->has_cursor = 1;
        list->cursor_us = last->created_us;
        list->cursor_number = last->number;
    }
    return 1;
}

/* One search: nothing that was committed before it began may be missing. */
static void search_once(worker *self, int round)
{
    desk *d = self->desk;
    int before = atomic_load(&d->count);
    char *seen = apr_pcalloc(self->pool, NUMBERS_MAX);
    hs_list list = list_of("common word", self->pool);
    hs_page page;

    list.descending = round % 2;
    list.limit = 20 + round % 7 * 40;
    fail(self, hs_store_list(self->node, &page, &list, self->pool));
    if (atomic_load(&d->has_failed)) {
        return;
    }
    atomic_fetch_add(&d->miscounted, page.total < before || page.total > NUMBERS_MAX);
    list.count = HS_COUNT_NONE;
    if (!walk(self, &list, seen)) {
        return;
    }
    for (int i = 0; i < before; i++) {
        atomic_fetch_add(&d->missed, seen[d->numbers[i]] == 0);
    }
    for (int i = 0; i < NUMBERS_MAX; i++) {
        atomic_fetch_add(&d->doubled, seen[i] > 1);
    }
    atomic_fetch_add(&d->searches, 1);
}

static void *search_tickets(void *data)
{
    worker *self = data;

    self->node->sample = 16; /* so that walks and tests take turns */
    for (int round = self->id; !atomic_load(&self->desk->is_over); round++) {
        search_once(self, round);
        apr_pool_clear(self->pool);
    }
    return NULL;
}

static void start(worker *self, void *(*work)(void *))
{
    apr_pool_create_unmanaged_ex(&self->pool, NULL, NULL);
    pthread_create(&self->thread, NULL, work, self);
}

static void end(worker *self)
{
    pthread_join(self->thread, NULL);
    apr_pool_destroy(self->pool);
}

static void open_nodes(desk *d, fixture *f)
{
    pthread_mutex_init(&d->mutex, NULL);
    if (fixture_is("sqlite3") &&
        apr_global_mutex_create(&f->opts.write_turn, apr_pstrcat(f->pool, f->file, "-turn", NULL),
                                APR_LOCK_FCNTL, f->pool) != APR_SUCCESS) {
        fixture_bail_out("no mutex");
    }
    for (int i = 0; i < NODES; i++) {
        if (!fixture_worked(hs_store_create(&d->nodes[i], &f->opts, NULL, NULL, f->pool))) {
            fixture_bail_out("no node");
        }
    }
}

static void run_nodes(desk *d, int tickets)
{
    worker submits[2];
    worker indexes[NODES];
    worker searches[2];

    for (int i = 0; i < 2; i++) {
        submits[i] = (worker){.desk = d, .node = d->nodes[i], .id = i, .work = tickets / 2};
        searches[i] = (worker){.desk = d, .node = d->nodes[i], .id = i};
        start(&submits[i], submit_tickets);
        start(&searches[i], search_tickets);
    }
    for (int i = 0; i < NODES; i++) {
        indexes[i] = (worker){.desk = d, .node = d->nodes[i], .id = i};
        start(&indexes[i], index_tickets);
    }
    end(&submits[0]);
    end(&submits[1]);
    atomic_store(&d->is_over, 1);
    for (int i = 0; i < NODES; i++) {
        end(&indexes[i]);
    }
    end(&searches[0]);
    end(&searches[1]);
}

static void test_nodes(apr_pool_t *root)
{
    int tickets = fixture_is("sqlite3") ? 1600 : 1000;
    fixture f;
    desk *d;

    fixture_open(&f, root);
    d = apr_pcalloc(f.pool, sizeof(*d));
    open_nodes(d, &f);
    run_nodes(d, tickets);
    tap_ok(!atomic_load(&d->has_failed), "nothing failed");
    tap_ok(atomic_load(&d->searches) > 5 && atomic_load(&d->moves) > 20,
           "%d searches while tickets were moved %d times", atomic_load(&d->searches),
           atomic_load(&d->moves));
    tap_is_int(atomic_load(&d->missed), 0, "none missed a ticket");
    tap_is_int(atomic_load(&d->doubled), 0, "or gave one twice");
    tap_is_int(atomic_load(&d->miscounted), 0, "or counted wrong");
    check_tables(&f, tickets);
    f.store->waiting_min = 1;
    tap_ok(index_all(&f) >= 0, "the rest is moved");
    tap_is_int(found(&f, "rare"), tickets / 10, "and each is found once");
    unlink(apr_pstrcat(f.pool, f.file, "-turn", NULL));
    fixture_close(&f);
}

/* Two tickets cease to match and match again, over and over. */
static void *flip_status(void *data)
{
    worker *self = data;

    while (!atomic_load(&self->desk->is_over)) {
        hs_change change = {.by = "ann"};
        hs_ticket *ticket;

        for (int i = 0; i < 4; i++) {
            change.ref.number = self->desk->numbers[i % 2];
            change.status = i < 2 ? HS_STATUS_CLOSED : HS_STATUS_OPEN;
            fail(self, hs_store_set_status(self->node, &ticket, &change, self->pool));
        }
        apr_pool_clear(self->pool);
    }
    return NULL;
}

/* A page that says that there are more must have a last ticket, from which they follow. */
static int count_dead_ends(worker *self, int rounds)
{
    int count = 0;

    for (int i = 0; i < rounds; i++) {
        hs_list list = list_of("flip", self->pool);
        hs_page page;

        list.limit = 1;
        list.statuses = 1u << HS_STATUS_OPEN;
        list.count = HS_COUNT_NONE;
        fail(self, hs_store_list(self->node, &page, &list, self->pool));
        count += page.has_more && page.tickets->nelts == 0;
        apr_pool_clear(self->pool);
    }
    return count;
}

static void test_dead_ends(apr_pool_t *root)
{
    fixture f;
    desk *d;
    worker changes;
    worker searches;

    fixture_open(&f, root);
    d = apr_pcalloc(f.pool, sizeof(*d));
    open_nodes(d, &f);
    (void)submit(f.store, "flip", &d->numbers[0], f.pool);
    (void)submit(f.store, "flip", &d->numbers[1], f.pool);
    changes = (worker){.desk = d, .node = d->nodes[0]};
    searches = (worker){.desk = d, .node = d->nodes[1]};
    start(&changes, flip_status);
    apr_pool_create_unmanaged_ex(&searches.pool, NULL, NULL);
    tap_is_int(count_dead_ends(&searches, 3000), 0, "no page ends where more is said to be");
    atomic_store(&d->is_over, 1);
    end(&changes);
    apr_pool_destroy(searches.pool);
    tap_ok(!atomic_load(&d->has_failed), "nothing failed");
    fixture_close(&f);
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_segments(pool);
    test_far_number(pool);
    test_merge_bounds(pool);
    test_segment_gone(pool);
    test_doubles(pool);
    test_deleted(pool);
    test_locked(pool);
    test_unknown_commit(pool);
    test_nodes(pool);
    test_dead_ends(pool);
    apr_pool_destroy(pool);
    return tap_done();
}
