/* test_db.c - the pool of connections and transactions over apr_dbd, on SQLite. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_db.h"

#include "hs_clock.h"

#include "store_fixture.h"

#include <pthread.h>
#include <sys/time.h>
#include <time.h>

static _Atomic long set_back_s;

/* The time of day, as APR asks for it. */
__attribute__((visibility("default"))) int gettimeofday(struct timeval *restrict day,
                                                        void *restrict zone)
{
    struct timespec now;

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    day->tv_sec = now.tv_sec - set_back_s;
    day->tv_usec = now.tv_nsec / 1000;
    return 0;
}

/* A pool without a schema. */
typedef struct plain {
    fixture f; /* only its file and options are used */
    hs_db *db;
    int greetings;
    int is_refused;
} plain;

static hs_error *greet(void *baton, hs_conn *conn, apr_time_t deadline, apr_pool_t *pool)
{
    plain *self = baton;

    (void)conn;
    (void)deadline;
    self->greetings++;
    return self->is_refused ? hs_error_make(pool, HS_DB_OTHER, "not today") : NULL;
}

static void open_plain(plain *self, int max, apr_pool_t *pool)
{
    memset(self, 0, sizeof(*self));
    fixture_open(&self->f, pool);
    self->f.opts.max = max;
    self->f.opts.timeout_us = apr_time_from_msec(300);
    if (!fixture_worked(hs_db_create(&self->db, &self->f.opts, greet, self, self->f.pool))) {
        abort();
    }
}

static hs_conn *acquire(plain *self)
{
    hs_conn *conn = NULL;

    (void)fixture_worked(hs_db_acquire(self->db, &conn, hs_db_deadline(self->db), self->f.pool));
    return conn;
}

static int run(plain *self, hs_conn *conn, const char *sql)
{
    return fixture_worked(hs_conn_execute(conn, sql, self->f.pool));
}

static const char *value(plain *self, hs_conn *conn, const char *sql)
{
    hs_rows *rows;

    if (!fixture_worked(hs_conn_ask(conn, &rows, sql, self->f.pool)) || rows->count == 0) {
        return "nothing";
    }
    return hs_rows_text(rows, 0, 0);
}

static void test_driver(apr_pool_t *pool)
{
    hs_error *error = hs_db_check_driver("oracle", "host=db", pool);

    tap_ok(error && error->code == HS_CONFIGURATION && strstr(error->text, "no database driver"),
           "a driver that is not there");
    tap_ok(!hs_db_check_driver("pgsql", "host=db", pool), "one that is");
    error = hs_db_check_driver("pgsql", "db", pool);
    tap_ok(error && error->code == HS_CONFIGURATION, "no parameters of libpq");
    error = hs_db_check_driver("sqlite3", "", pool);
    tap_ok(error && error->code == HS_CONFIGURATION, "no file");
    error = hs_db_check_driver("sqlite3", ":memory:", pool);
    tap_ok(error && error->code == HS_CONFIGURATION, "a database in memory");
    tap_ok(!hs_db_check_driver("sqlite3", "/var/lib/x.db", pool), "a file");
}

static void test_session(apr_pool_t *pool)
{
    plain p;
    hs_conn *conn;

    open_plain(&p, 2, pool);
    conn = acquire(&p);
    tap_is_int(p.greetings, 1, "a new connection is greeted");
    tap_is_str(value(&p, conn, "PRAGMA journal_mode"), "wal", "journal_mode");
    tap_is_str(value(&p, conn, "PRAGMA synchronous"), "2", "synchronous is FULL");
    tap_is_str(value(&p, conn, "PRAGMA busy_timeout"), "0", "no busy_timeout");
    hs_db_release(p.db, conn);
    tap_ok(acquire(&p) == conn, "it is used again");
    tap_is_int(p.greetings, 1, "without another greeting");
    hs_db_release(p.db, conn);
    fixture_close(&p.f);
}

static void test_values(apr_pool_t *pool)
{
    plain p;
    hs_conn *conn;
    hs_rows *rows;
    apr_int64_t big = APR_INT64_C(9007199254740993);
    int changed = 0;

    open_plain(&p, 1, pool);
    conn = acquire(&p);
    tap_ok(run(&p, conn, "CREATE TABLE t (a INTEGER, b TEXT, c TEXT)"), "a table");
    tap_ok(fixture_worked(hs_conn_query(conn, &changed, "INSERT INTO t VALUES (%lld, %s, %s)",
                                        (const void *[]){&big, "", NULL}, p.f.pool)),
           "a row");
    tap_is_int(changed, 1, "is inserted");
    tap_ok(fixture_worked(
               hs_conn_select(conn, &rows, "SELECT a, b, c, typeof(a) FROM t", NULL, p.f.pool)),
           "it is read");
    tap_is_int(rows->count * 10 + rows->columns, 14, "one row of four columns");
    tap_is_int(hs_rows_number(rows, 0, 0), big, "a large integer");
    tap_is_str(hs_rows_text(rows, 0, 1), "", "an empty string is not NULL");
    tap_is_str(hs_rows_text(rows, 0, 2), NULL, "NULL is NULL");
    tap_is_str(hs_rows_text(rows, 0, 3), "integer", "integers are bound as integers");
    tap_ok(fixture_worked(hs_conn_select(conn, &rows, "SELECT a FROM t WHERE b = %s",
                                         (const void *[]){"x"}, p.f.pool)) &&
               rows->count == 0,
           "no row");
    hs_db_release(p.db, conn);
    fixture_close(&p.f);
}

static void test_transaction(apr_pool_t *pool)
{
    plain p;
    hs_conn *conn;
    hs_error *error;
    apr_time_t deadline;

    open_plain(&p, 1, pool);
    deadline = hs_clock_now() + apr_time_from_sec(5);
    conn = acquire(&p);
    tap_ok(run(&p, conn, "CREATE TABLE t (a INTEGER PRIMARY KEY)"), "a table");
    tap_ok(fixture_worked(hs_db_begin(p.db, conn, deadline, p.f.pool)), "begin");
    tap_ok(run(&p, conn, "INSERT INTO t VALUES (1)"), "insert");
    tap_ok(fixture_worked(hs_db_commit(p.db, conn, p.f.pool)), "commit");
    tap_ok(fixture_worked(hs_db_begin(p.db, conn, deadline, p.f.pool)), "begin again");
    tap_ok(run(&p, conn, "INSERT INTO t VALUES (2)"), "insert");
    error = hs_conn_execute(conn, "INSERT INTO t VALUES (1)", p.f.pool);
    tap_ok(error && error->code == HS_DB_UNIQUE, "a unique index refuses");
    error = hs_db_commit(p.db, conn, p.f.pool);
    tap_ok(error != NULL, "a transaction with a failed statement can't be committed");
    tap_is_str(value(&p, conn, "SELECT count(*) FROM t"), "1", "and is undone");
    tap_ok(fixture_worked(hs_db_begin(p.db, conn, deadline, p.f.pool)), "begin once more");
    tap_ok(run(&p, conn, "INSERT INTO t VALUES (3)"), "insert");
    hs_db_release(p.db, conn);
    conn = acquire(&p);
    tap_is_str(value(&p, conn, "SELECT count(*) FROM t"), "1", "what is abandoned is undone");
    tap_ok(fixture_worked(hs_db_begin(p.db, conn, deadline, p.f.pool)), "and the turn is free");
    hs_db_rollback(p.db, conn);
    hs_db_release(p.db, conn);
    fixture_close(&p.f);
}

static void test_bound(apr_pool_t *pool)
{
    plain p;
    hs_conn *held;
    hs_conn *conn;
    hs_error *error;
    apr_time_t before;

    open_plain(&p, 1, pool);
    held = acquire(&p);
    before = apr_time_now();
    error = hs_db_acquire(p.db, &conn, hs_db_deadline(p.db), p.f.pool);
    tap_ok(error && error->code == HS_UNAVAILABLE && strstr(error->text, "HelpSupportDBPool"),
           "the pool is exhausted");
    tap_ok(apr_time_now() - before >= apr_time_from_msec(290) &&
               apr_time_now() - before < apr_time_from_sec(3),
           "after the deadline");
    hs_db_release(p.db, held);
    fixture_close(&p.f);
}

static void *set_clock_back(void *data)
{
    (void)data;
    apr_sleep(apr_time_from_msec(50));
    set_back_s = 3600;
    return NULL;
}

static void test_clock_that_is_set(apr_pool_t *pool)
{
    plain p;
    pthread_t thread;
    hs_conn *held;
    hs_conn *conn;
    hs_error *error;
    apr_time_t before = hs_clock_now();

    open_plain(&p, 1, pool);
    held = acquire(&p);
    alarm(60); /* ends the test where the wait does not */
    pthread_create(&thread, NULL, set_clock_back, NULL);
    error = hs_db_acquire(p.db, &conn, hs_db_deadline(p.db), p.f.pool);
    alarm(0);
    pthread_join(thread, NULL);
    tap_ok(error && hs_clock_now() - before < apr_time_from_sec(30),
           "a clock that is set back an hour meanwhile makes no wait longer");
    set_back_s = 0;
    hs_db_release(p.db, held);
    fixture_close(&p.f);
}

static void *release_later(void *data)
{
    void **both = data;

    apr_sleep(apr_time_from_msec(50));
    hs_db_release(((plain *)both[0])->db, both[1]);
    return NULL;
}

static void test_wait(apr_pool_t *pool)
{
    plain p;
    pthread_t thread;
    void *both[2];
    hs_conn *conn;

    open_plain(&p, 1, pool);
    both[0] = &p;
    both[1] = acquire(&p);
    pthread_create(&thread, NULL, release_later, both);
    conn = acquire(&p);
    tap_ok(conn == both[1], "a connection that comes back goes to who waits");
    pthread_join(thread, NULL);
    hs_db_release(p.db, conn);
    fixture_close(&p.f);
}

static void test_schema_change(apr_pool_t *pool)
{
    static const char select[] = "SELECT count(*) FROM t";
    plain p;
    hs_conn *one;
    hs_conn *two;
    hs_rows *rows;
    hs_error *error;

    open_plain(&p, 2, pool);
    one = acquire(&p);
    two = acquire(&p);
    tap_ok(run(&p, one, "CREATE TABLE t (a)"), "a table");
    tap_ok(!hs_conn_select(one, &rows, select, NULL, p.f.pool) &&
               !hs_conn_select(two, &rows, select, NULL, p.f.pool),
           "two connections have a statement");
    hs_db_release(p.db, two);
    tap_ok(run(&p, one, "CREATE TABLE u (a)"), "the schema changes");
    two = acquire(&p);
    error = hs_conn_select(two, &rows, select, NULL, p.f.pool);
    tap_ok(error && error->code == HS_DB_SCHEMA, "a statement of before no longer works");
    hs_db_release(p.db, two);
    hs_db_release(p.db, one);
    p.greetings = 0;
    two = acquire(&p);
    tap_is_int(p.greetings, 1, "all connections are replaced");
    tap_ok(!hs_conn_select(two, &rows, select, NULL, p.f.pool), "the next one works");
    hs_db_release(p.db, two);
    fixture_close(&p.f);
}

static void test_many_statements(apr_pool_t *pool)
{
    plain p;
    hs_conn *conn;
    hs_rows *rows;
    int faults = 0;

    open_plain(&p, 1, pool);
    for (int i = 0; i < 1000; i++) {
        conn = acquire(&p);
        faults += hs_conn_select(conn, &rows, apr_psprintf(p.f.pool, "SELECT %d", i), NULL,
                                 p.f.pool) != NULL;
        hs_db_release(p.db, conn);
    }
    tap_is_int(faults, 0, "a thousand different statements");
    tap_ok(p.greetings > 5 && p.greetings < 50, "take %d connections", p.greetings);
    fixture_close(&p.f);
}

static void test_refused(apr_pool_t *pool)
{
    plain p;
    hs_conn *conn = NULL;
    hs_error *error;

    open_plain(&p, 2, pool);
    p.is_refused = 1;
    error = hs_db_acquire(p.db, &conn, hs_db_deadline(p.db), p.f.pool);
    tap_ok(error && error->code == HS_UNAVAILABLE, "a connection that is refused");
    error = hs_db_acquire(p.db, &conn, hs_db_deadline(p.db), p.f.pool);
    tap_ok(error && error->code == HS_UNAVAILABLE && p.greetings == 1, "is not tried at once");
    p.is_refused = 0;
    apr_sleep(apr_time_from_msec(1100));
    conn = acquire(&p);
    tap_ok(conn != NULL, "a second later it is");
    hs_db_release(p.db, conn);
    fixture_close(&p.f);
}

static void test_turn(apr_pool_t *pool)
{
    plain p;
    hs_conn *one;
    hs_conn *two;
    hs_error *error;

    open_plain(&p, 2, pool);
    one = acquire(&p);
    two = acquire(&p);
    tap_ok(fixture_worked(hs_db_begin(p.db, one, hs_db_deadline(p.db), p.f.pool)), "one writes");
    error = hs_db_begin(p.db, two, hs_db_deadline(p.db), p.f.pool);
    tap_ok(error && error->code == HS_UNAVAILABLE && strstr(error->text, "turn"),
           "another waits for its turn, until its deadline");
    hs_db_rollback(p.db, one);
    tap_ok(fixture_worked(hs_db_begin(p.db, two, hs_db_deadline(p.db), p.f.pool)), "then it may");
    hs_db_release(p.db, two);
    hs_db_release(p.db, one);
    fixture_close(&p.f);
}

/* Another program's lock is waited for until the deadline, by itself apr_dbd_sqlite3 would wait
 * 1.5 s each time. */
static void test_locked(apr_pool_t *pool)
{
    plain p;
    hs_conn *conn;
    hs_error *error;
    apr_time_t begun;
    apr_interval_time_t taken;

    open_plain(&p, 1, pool);
    conn = acquire(&p);
    tap_ok(fixture_does(&p.f, "BEGIN IMMEDIATE"), "another program writes");
    begun = apr_time_now();
    error = hs_db_begin(p.db, conn, hs_db_deadline(p.db), p.f.pool);
    taken = apr_time_now() - begun;
    tap_ok(error && error->code == HS_DB_BUSY && strstr(error->text, "another program"),
           "a writer is told so");
    tap_ok(taken > apr_time_from_msec(200) && taken < apr_time_from_msec(1300),
           "at its deadline: after %d ms", (int)apr_time_as_msec(taken));
    hs_db_release(p.db, conn);
    fixture_close(&p.f);
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_driver(pool);
    test_session(pool);
    test_values(pool);
    test_transaction(pool);
    test_bound(pool);
    test_clock_that_is_set(pool);
    test_wait(pool);
    test_schema_change(pool);
    test_many_statements(pool);
    test_refused(pool);
    test_turn(pool);
    test_locked(pool);
    return tap_done();
}
