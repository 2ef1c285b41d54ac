/* test_db_server.c - what the drivers of servers get wrong, and hs_db must not: HS_TEST_DB's. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_db.h"

#include "hs_clock.h"

#include "store_fixture.h"

/* A pool without a schema. */
static hs_db *open_pool(fixture *f, int max)
{
    hs_db *db;

    f->opts.max = max;
    f->opts.timeout_us = apr_time_from_sec(2);
    if (!fixture_worked(hs_db_create(&db, &f->opts, fixture_greet, NULL, f->pool))) {
        fixture_bail_out("no pool");
    }
    return db;
}

static hs_conn *acquire(fixture *f, hs_db *db)
{
    hs_conn *conn = NULL;

    if (!fixture_worked(hs_db_acquire(db, &conn, hs_db_deadline(db), f->pool))) {
        fixture_bail_out("no connection");
    }
    return conn;
}

static int run(fixture *f, hs_conn *conn, const char *sql)
{
    return fixture_worked(hs_conn_execute(conn, sql, f->pool));
}

static const char *value(fixture *f, hs_conn *conn, const char *sql)
{
    hs_rows *rows;

    if (!fixture_worked(hs_conn_ask(conn, &rows, sql, f->pool)) || rows->count == 0) {
        return "nothing";
    }
    return hs_rows_text(rows, 0, 0);
}

/* End the session of `conn` at the server. */
static void end_session(fixture *f, hs_conn *conn)
{
    const char *id =
        value(f, conn, fixture_is("pgsql") ? "SELECT pg_backend_pid()" : "SELECT connection_id()");
    const char *sql =
        fixture_is("pgsql")
            ? apr_psprintf(f->pool, "DO $$BEGIN PERFORM pg_terminate_backend(%s); END$$", id)
            : apr_psprintf(f->pool, "KILL %s", id);

    fixture_tell_server(sql, f->pool);
    apr_sleep(apr_time_from_msec(50));
}

static void test_values(fixture *f)
{
    hs_db *db = open_pool(f, 1);
    hs_conn *conn = acquire(f, db);
    apr_int64_t big = APR_INT64_C(9007199254740993);
    hs_rows *rows;
    int changed = 0;

    tap_ok(run(f, conn, "CREATE TABLE v (a bigint, b text, c text)"), "a table");
    tap_ok(fixture_worked(hs_conn_query(conn, &changed, "INSERT INTO v VALUES (%lld, %s, %s)",
                                        (const void *[]){&big, "", NULL}, f->pool)) &&
               changed == 1,
           "a row");
    tap_ok(fixture_worked(hs_conn_select(conn, &rows, "SELECT a, b, c FROM v WHERE a = %lld",
                                         (const void *[]){&big}, f->pool)) &&
               rows->count == 1,
           "is found by a number of more than 32 bits");
    tap_is_int(hs_rows_number(rows, 0, 0), big, "which comes back whole");
    tap_is_str(hs_rows_text(rows, 0, 1), "", "an empty string is not NULL");
    tap_is_str(hs_rows_text(rows, 0, 2), NULL, "NULL is NULL");
    tap_ok(fixture_worked(hs_conn_query(conn, &changed, "UPDATE v SET b = %s", (const void *[]){""},
                                        f->pool)) &&
               changed == 1,
           "what is matched counts as changed");
    tap_ok(run(f, conn, "INSERT INTO v SELECT 2, 'x', 'y' FROM v"), "a second row");
    tap_ok(
        fixture_worked(hs_conn_select(conn, &rows, "SELECT b FROM v ORDER BY a", NULL, f->pool)) &&
            rows->count == 2,
        "two rows");
    tap_ok(strcmp(hs_rows_text(rows, 0, 0), "x") == 0 && strcmp(hs_rows_text(rows, 1, 0), "") == 0,
           "each with its own value");
    hs_db_release(db, conn);
}

static void test_long_text(fixture *f)
{
    hs_db *db = open_pool(f, 1);
    hs_conn *conn = acquire(f, db);
    char *text = apr_palloc(f->pool, 200001);
    hs_rows *rows;

    memset(text, 'x', 200000);
    text[200000] = '\0';
    (void)run(f, conn,
              fixture_is("mysql") ? "CREATE TABLE long_text (a mediumtext)"
                                  : "CREATE TABLE long_text (a text)");
    tap_ok(
        fixture_worked(hs_conn_query(conn, NULL, "INSERT INTO long_text VALUES (%s)",
                                     (const void *[]){text}, f->pool)) &&
            fixture_worked(hs_conn_select(conn, &rows, "SELECT a FROM long_text", NULL, f->pool)) &&
            strcmp(hs_rows_text(rows, 0, 0), text) == 0,
        "a long text is not cut");
    hs_db_release(db, conn);
}

static void test_transaction(fixture *f)
{
    hs_db *db = open_pool(f, 1);
    hs_conn *conn = acquire(f, db);
    apr_time_t deadline = hs_clock_now() + apr_time_from_sec(5);
    hs_error *error;

    tap_ok(run(f, conn, "CREATE TABLE t (a integer PRIMARY KEY)"), "a table");
    (void)!hs_db_begin(db, conn, deadline, f->pool);
    (void)run(f, conn, "INSERT INTO t VALUES (1)");
    tap_ok(fixture_worked(hs_db_commit(db, conn, f->pool)), "a transaction");
    (void)!hs_db_begin(db, conn, deadline, f->pool);
    (void)run(f, conn, "INSERT INTO t VALUES (2)");
    error = hs_conn_execute(conn, "INSERT INTO t VALUES (1)", f->pool);
    tap_ok(error && error->code == HS_DB_UNIQUE, "a unique index refuses");
    tap_ok(hs_db_commit(db, conn, f->pool) != NULL,
           "a transaction with a failed statement can't be committed");
    tap_is_str(value(f, conn, "SELECT count(*) FROM t"), "1", "and is undone");
    (void)!hs_db_begin(db, conn, deadline, f->pool);
    (void)run(f, conn, "INSERT INTO t VALUES (3)");
    hs_db_release(db, conn);
    conn = acquire(f, db);
    tap_is_str(value(f, conn, "SELECT count(*) FROM t"), "1", "what is abandoned is undone");
    hs_db_release(db, conn);
}

static void test_lost(fixture *f)
{
    hs_db *db = open_pool(f, 2);
    hs_conn *conn = acquire(f, db);
    apr_time_t deadline = hs_clock_now() + apr_time_from_sec(5);
    hs_rows *rows;
    hs_error *error;

    (void)run(f, conn, "CREATE TABLE l (a integer)");
    (void)!hs_conn_select(conn, &rows, "SELECT a FROM l", NULL, f->pool);
    end_session(f, conn);
    error = hs_db_begin(db, conn, deadline, f->pool);
    tap_ok(error && error->code == HS_DB_LOST, "BEGIN on a dead connection is an error, no crash");
    hs_db_release(db, conn);
    conn = acquire(f, db);
    tap_ok(fixture_worked(hs_conn_select(conn, &rows, "SELECT a FROM l", NULL, f->pool)),
           "statements are prepared anew on another connection");
    (void)!hs_db_begin(db, conn, deadline, f->pool);
    (void)run(f, conn, "INSERT INTO l VALUES (1)");
    end_session(f, conn);
    error = hs_conn_execute(conn, "INSERT INTO l VALUES (2)", f->pool);
    tap_ok(error && error->code == HS_DB_LOST, "a transaction ends with its session");
    tap_ok(hs_db_commit(db, conn, f->pool) != NULL, "and is not committed");
    hs_db_release(db, conn);
    conn = acquire(f, db);
    tap_is_str(value(f, conn, "SELECT count(*) FROM l"), "0", "nothing of it is there");
    (void)!hs_db_begin(db, conn, deadline, f->pool);
    (void)run(f, conn, "INSERT INTO l VALUES (1)");
    end_session(f, conn);
    error = hs_db_commit(db, conn, f->pool);
    tap_ok(error && error->code == HS_OUTCOME_UNKNOWN, "a COMMIT that is lost is unknown");
    hs_db_release(db, conn);
}

/* As where a proxy leads to a server that was the primary once. */
static void test_read_only(fixture *f)
{
    hs_db *db = open_pool(f, 1);
    hs_conn *conn = acquire(f, db);
    hs_error *error;

    (void)run(f, conn, "CREATE TABLE r (a integer)");
    (void)run(f, conn,
              fixture_is("mysql") ? "SET SESSION TRANSACTION READ ONLY"
                                  : "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY");
    error = hs_conn_query(conn, NULL, "INSERT INTO r VALUES (1)", NULL, f->pool);
    tap_ok(error && error->code == HS_DB_GONE, "a session that may only read is of no use");
    hs_db_release(db, conn);
    conn = acquire(f, db);
    tap_ok(run(f, conn, "INSERT INTO r VALUES (1)"), "and not used again");
    hs_db_release(db, conn);
}

static void test_errors(fixture *f)
{
    hs_db *db = open_pool(f, 1);
    hs_conn *conn = acquire(f, db);
    apr_time_t before = apr_time_now();
    hs_rows *rows;
    hs_error *error = hs_conn_select(conn, &rows, "SELECT a FROM absent", NULL, f->pool);

    tap_ok(error && error->code == HS_DB_SCHEMA, "no such table");
    hs_db_release(db, conn);
    conn = acquire(f, db);
    (void)run(f, conn, "CREATE TABLE e (a integer PRIMARY KEY, b varchar(9))");
    error = hs_conn_query(conn, NULL, "INSERT INTO e VALUES (1, %s)",
                          (const void *[]){"secret words"}, f->pool);
    tap_ok(error && !strstr(error->text, "secret"), "an error does not repeat values");
    hs_db_release(db, conn);
    conn = acquire(f, db);
    error = hs_conn_ask(conn, &rows,
                        fixture_is("pgsql") ? "SELECT pg_sleep(20)" : "SELECT sleep(20)", f->pool);
    tap_ok(error && (error->code == HS_UNAVAILABLE || error->code == HS_DB_LOST),
           "a statement that takes too long");
    tap_ok(apr_time_now() - before < apr_time_from_sec(6), "ends");
    hs_db_release(db, conn);
}

/* The same parameters as a URI. */
static const char *uri_of(const fixture *f)
{
    char *list = apr_pstrdup(f->pool, f->opts.params);

    for (char *space = strchr(list, ' '); space; space = strchr(space, ' ')) {
        *space = '&';
    }
    return apr_pstrcat(f->pool, "postgresql:///?", list, NULL);
}

/* MariaDB's are in 64-mysql-setup.t. */
static void test_hostile_default(fixture *f)
{
    static const char alter[] =
        "DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = "
        "serializable', current_database()); END$$";
    hs_conn *conn;
    hs_db *db;

    if (fixture_is("mysql")) {
        return;
    }
    tap_ok(fixture_does(f, alter), "a database with another isolation level");
    for (int i = 0; i < 2; i++) {
        db = open_pool(f, 1);
        conn = acquire(f, db);
        tap_is_str(value(f, conn, "SHOW transaction_isolation"), "read committed",
                   "does not change the statements");
        hs_db_release(db, conn);
        f->opts.params = uri_of(f);
    }
}

int main(void)
{
    static void (*const tests[])(fixture *) = {
        test_values,    test_long_text, test_transaction,    test_lost,
        test_read_only, test_errors,    test_hostile_default};
    apr_pool_t *pool;

    if (fixture_is("sqlite3")) {
        return tap_done();
    }
    apr_initialize();
    apr_pool_create(&pool, NULL);
    for (apr_size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++) {
        fixture f;

        fixture_open_empty(&f, pool);
        tests[i](&f);
        fixture_close(&f);
    }
    return tap_done();
}
