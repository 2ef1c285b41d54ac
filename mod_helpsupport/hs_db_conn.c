/* hs_db_conn.c - layer 4: one connection to a database: its statements, rows and transaction. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_db_conn.h"

#include "hs_clock.h"
#include "hs_dialect.h"

#include <apr_dbd.h>
#include <apr_hash.h>
#include <apr_strings.h>

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* apr_dbd_sqlite3 frees no statement before the connection is closed, so one that has prepared more
 * than this many (the list has many shapes) is closed when it comes back. */
#define STATEMENTS_MAX 96

#define BUSY_WAIT_US 20000

struct hs_conn {
    const hs_conn_opts *opts;
    apr_pool_t *pool; /* without a parent, so that making and ending it needs no lock */
    apr_dbd_t *handle;
    void *native;           /* what the dialect knows it by */
    apr_hash_t *statements; /* text to apr_dbd_prepared_t */
    hs_conn_stamp stamp;
    hs_conn_fault fault;
    int in_transaction;
    int has_failed;             /* a statement of this transaction did */
    _Atomic int is_unlimited;   /* its calls are never overdue */
    int socket;                 /* a copy of the descriptor, which nobody else closes, or -1 */
    _Atomic apr_time_t call_us; /* since when (hs_clock) a call waits for the server, or 0 */
    apr_interval_time_t head_start_us; /* by which the present call is overdue sooner */
};

static const char *reason_of(const hs_dialect *dialect, const char *text, apr_pool_t *pool)
{
    if (!text) {
        return "no reason given";
    }
    return dialect->reason ? dialect->reason(text, pool) : text;
}

/* apr_dbd_mysql doesn't look whether all rows could be read, and crashes on what it then has. */
static int has_hidden_error(const hs_conn *conn)
{
    const char *text;

    if (!conn->opts->dialect->hides_errors) {
        return 0;
    }
    text = apr_dbd_error(conn->opts->driver, conn->handle, 0);
    return text && *text;
}

/* Make the error of a call that returned `status`, and remember what it means for the connection.
 * The native handle knows only about the last call, so this comes right after it. */
static hs_error *fail(hs_conn *conn, const char *what, int status, apr_pool_t *pool)
{
    const hs_dialect *dialect = conn->opts->dialect;
    const char *advice;
    hs_code code = dialect->classify(conn->native, status, &advice);
    const char *text = apr_dbd_error(conn->opts->driver, conn->handle, status);

    conn->has_failed = 1;
    if (code == HS_DB_LOST || code == HS_DB_GONE) {
        conn->fault = HS_CONN_LOST;
    } else if (code == HS_DB_SCHEMA) {
        conn->fault = HS_CONN_SCHEMA;
    } else if (code == HS_UNAVAILABLE && !conn->fault) {
        conn->fault = HS_CONN_WORN;
    }
    return hs_error_make(pool, code, "%s: %s: %s%s%s", dialect->driver, what,
                         reason_of(dialect, text, pool), advice ? "; " : "", advice ? advice : "");
}

static hs_error *copy_row(hs_rows *rows, const apr_dbd_driver_t *driver, apr_dbd_row_t *row,
                          int is_copied, apr_pool_t *pool)
{
    const char **values = rows->values + (apr_size_t)rows->count * (apr_size_t)rows->columns;

    for (int column = 0; column < rows->columns; column++) {
        char *value = NULL;
        apr_status_t status =
            apr_dbd_datum_get(driver, row, column, APR_DBD_TYPE_STRING, (void *)&value);

        if (status != APR_SUCCESS && status != APR_ENOENT) {
            return hs_error_make(pool, HS_DB_OTHER, "column %d can't be read", column);
        }
        values[column] = value && !is_copied ? apr_pstrdup(pool, value) : value;
    }
    rows->count++;
    return NULL;
}

/* Never asks for a row behind the last: apr_dbd_pgsql would free them all. */
static hs_error *copy_rows(hs_conn *conn, hs_rows **out, apr_dbd_results_t *results,
                           apr_pool_t *pool)
{
    const apr_dbd_driver_t *driver = conn->opts->driver;
    const hs_dialect *dialect = conn->opts->dialect;
    hs_rows *rows = apr_pcalloc(pool, sizeof(*rows));
    int count = apr_dbd_num_tuples(driver, results);

    rows->columns = apr_dbd_num_cols(driver, results);
    rows->values = apr_palloc(pool, sizeof(*rows->values) * (apr_size_t)rows->columns *
                                        (apr_size_t)(count > 0 ? count : 1));
    for (int i = 0; i < count; i++) {
        apr_dbd_row_t *row = NULL;
        hs_error *error;

        if (apr_dbd_get_row(driver, pool, results, &row, dialect->rows_are_numbered ? i + 1 : -1)) {
            return hs_error_make(pool, HS_DB_OTHER, "row %d of %d can't be read", i + 1, count);
        }
        error = copy_row(rows, driver, row, dialect->copies_rows, pool);
        if (error) {
            return error;
        }
    }
    *out = rows;
    return NULL;
}

static hs_error *find_statement(hs_conn *conn, apr_dbd_prepared_t **statement, const char *sql,
                                apr_pool_t *pool)
{
    unsigned count = apr_hash_count(conn->statements);
    char *label = NULL;
    int status;

    *statement = apr_hash_get(conn->statements, sql, APR_HASH_KEY_STRING);
    if (*statement) {
        return NULL;
    }
    if (conn->opts->prepare) {
        label = apr_psprintf(conn->pool, "hs%u", count);
    }
    if (count >= STATEMENTS_MAX && !conn->fault) {
        conn->fault = HS_CONN_WORN;
    }
    conn->call_us = hs_clock_now();
    status = apr_dbd_prepare(conn->opts->driver, conn->pool, conn->handle, sql, label, statement);
    conn->call_us = 0;
    if (status != 0) {
        hs_error *error = fail(conn, "prepare", status, pool);

        error->code = error->code == HS_DB_LOST ? HS_DB_GONE : error->code;
        return error;
    }
    apr_hash_set(conn->statements, apr_pstrdup(conn->pool, sql), APR_HASH_KEY_STRING, *statement);
    return NULL;
}

hs_error *hs_conn_prepare(hs_conn *conn, const char *sql, apr_pool_t *pool)
{
    apr_dbd_prepared_t *statement;

    return find_statement(conn, &statement, sql, pool);
}

hs_error *hs_conn_select(hs_conn *conn, hs_rows **rows, const char *sql, const void **values,
                         apr_pool_t *pool)
{
    apr_dbd_prepared_t *statement;
    apr_dbd_results_t *results = NULL;
    hs_error *error = find_statement(conn, &statement, sql, pool);
    int status;

    if (error) {
        return error;
    }
    /* random access: without it apr_dbd_pgsql hides errors and sleeps 100 ms on each. */
    conn->call_us = hs_clock_now();
    status =
        apr_dbd_pbselect(conn->opts->driver, pool, conn->handle, &results, statement, 1, values);
    conn->call_us = 0;
    if (status != 0 || has_hidden_error(conn)) {
        return fail(conn, "select", status, pool);
    }
    return copy_rows(conn, rows, results, pool);
}

hs_error *hs_conn_query(hs_conn *conn, int *changed, const char *sql, const void **values,
                        apr_pool_t *pool)
{
    apr_dbd_prepared_t *statement;
    int ignored;
    hs_error *error = find_statement(conn, &statement, sql, pool);
    int status;

    if (error) {
        return error;
    }
    conn->call_us = hs_clock_now();
    status = apr_dbd_pbquery(conn->opts->driver, pool, conn->handle, changed ? changed : &ignored,
                             statement, values);
    conn->call_us = 0;
    return status == 0 ? NULL : fail(conn, "write", status, pool);
}

static int execute(hs_conn *conn, const char *sql)
{
    const hs_conn_opts *opts = conn->opts;
    int ignored;

    return opts->dialect->execute ? opts->dialect->execute(conn->native, sql)
                                  : apr_dbd_query(opts->driver, conn->handle, &ignored, sql);
}

/* Where another process has changed the schema since this connection last read it, the first try
 * fails and makes it forget what it had read. A statement that was prepared would be lost then, and
 * with it the connection. */
hs_error *hs_conn_ask(hs_conn *conn, hs_rows **rows, const char *sql, apr_pool_t *pool)
{
    int had_failed = conn->has_failed;
    hs_conn_fault fault = conn->fault;
    hs_error *error = NULL;

    for (int try = 0; try < 2; try++) {
        apr_dbd_results_t *results = NULL;
        int status;

        conn->call_us = hs_clock_now() - conn->head_start_us;
        status = rows ? apr_dbd_select(conn->opts->driver, pool, conn->handle, &results, sql, 1)
                      : execute(conn, sql);
        conn->call_us = 0;
        if (status == 0 && !(rows && has_hidden_error(conn))) {
            return rows ? copy_rows(conn, rows, results, pool) : NULL;
        }
        error = fail(conn, rows ? "ask" : "execute", status, pool);
        if (error->code != HS_DB_SCHEMA || apr_hash_count(conn->statements) > 0) {
            break;
        }
        conn->fault = fault;
        conn->has_failed = had_failed;
    }
    return error;
}

hs_error *hs_conn_execute(hs_conn *conn, const char *sql, apr_pool_t *pool)
{
    return hs_conn_ask(conn, NULL, sql, pool);
}

static hs_error *set_up(hs_conn *conn, apr_pool_t *pool)
{
    const hs_dialect *dialect = conn->opts->dialect;
    const hs_dialect_setting *setting =
        dialect->settings ? dialect->settings(conn->opts->statement_us, pool) : NULL;

    for (; setting && setting->sql; setting++) {
        hs_rows *rows = NULL;
        hs_error *error =
            hs_conn_ask(conn, setting->has_no_rows ? NULL : &rows, setting->sql, pool);
        const char *value;

        if (error) {
            return error;
        }
        value = rows && rows->count > 0 ? hs_rows_text(rows, 0, 0) : NULL;
        if (setting->expected && (!value || strcmp(value, setting->expected) != 0)) {
            return hs_error_make(pool, HS_UNAVAILABLE, "%s: %s gives %s, not %s", dialect->driver,
                                 setting->sql, value ? value : "nothing", setting->expected);
        }
    }
    return NULL;
}

/* Whether to wait and try again: the database is busy and there is time left. */
static int is_worth_waiting(const hs_error *error, apr_time_t deadline)
{
    if (!error || error->code != HS_DB_BUSY || hs_clock_now() + BUSY_WAIT_US >= deadline) {
        return 0;
    }
    apr_sleep(BUSY_WAIT_US);
    return 1;
}

static hs_conn *make(const hs_conn_opts *opts)
{
    apr_pool_t *pool;
    hs_conn *conn;

    apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    conn = apr_pcalloc(pool, sizeof(*conn));
    conn->opts = opts;
    conn->pool = pool;
    conn->statements = apr_hash_make(pool);
    conn->socket = -1;
    return conn;
}

static void after_connect(hs_conn *conn)
{
    const hs_dialect *dialect = conn->opts->dialect;
    int descriptor = dialect->socket ? dialect->socket(conn->native) : -1;

    if (descriptor >= 0) {
        conn->socket = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    }
    if (dialect->after_connect) {
        dialect->after_connect(conn->native);
    }
}

hs_error *hs_conn_open(hs_conn **out, const hs_conn_opts *opts, apr_pool_t *pool)
{
    hs_conn *conn = make(opts);
    const char *params = opts->dialect->before_connect(
        opts->params, opts->prepare ? opts->statement_us : 0, conn->pool);
    const char *reason = NULL;

    if (apr_dbd_open_ex(opts->driver, conn->pool, params, &conn->handle, &reason) != APR_SUCCESS) {
        hs_error *error =
            hs_error_make(pool, HS_UNAVAILABLE, "%s: can't connect: %s; %s", opts->dialect->driver,
                          reason_of(opts->dialect, reason, pool),
                          opts->dialect->connect_advice(reason ? reason : ""));
        apr_pool_destroy(conn->pool);
        return error;
    }
    conn->native = apr_dbd_native_handle(opts->driver, conn->handle);
    after_connect(conn);
    *out = conn;
    return NULL;
}

hs_error *hs_conn_set_up(hs_conn *conn, apr_time_t deadline, apr_pool_t *pool)
{
    hs_error *error;

    do {
        error = set_up(conn, pool);
    } while (is_worth_waiting(error, deadline));
    return error;
}

void hs_conn_close(hs_conn *conn)
{
    hs_conn_rollback(conn);
    apr_dbd_close(conn->opts->driver, conn->handle);
    if (conn->socket >= 0) {
        close(conn->socket);
    }
    apr_pool_destroy(conn->pool);
}

hs_conn_stamp *hs_conn_stamp_of(hs_conn *conn)
{
    return &conn->stamp;
}

void hs_conn_cut_overdue(hs_conn *conn, apr_time_t since)
{
    apr_time_t call_us = conn->call_us;

    if (call_us && call_us < since && conn->socket >= 0 && !conn->is_unlimited) {
        (void)shutdown(conn->socket, SHUT_RDWR);
    }
}

hs_conn_fault hs_conn_look(hs_conn *conn)
{
    if (!conn->fault && conn->opts->dialect->is_astray(conn->native)) {
        conn->fault = HS_CONN_LOST;
    }
    return conn->fault;
}

int hs_conn_is_alive(hs_conn *conn, apr_pool_t *pool)
{
    hs_rows *rows = NULL;
    hs_error *error;

    conn->head_start_us = conn->opts->statement_us;
    error = hs_conn_ask(conn, &rows, conn->opts->dialect->probe, pool);
    conn->head_start_us = 0;
    return !error && rows && rows->count == 1;
}

hs_error *hs_conn_begin(hs_conn *conn, apr_time_t deadline, apr_pool_t *pool)
{
    hs_error *error;

    do {
        error = hs_conn_execute(conn, conn->opts->dialect->begin, pool);
    } while (is_worth_waiting(error, deadline));
    conn->has_failed = 0;
    conn->in_transaction = !error;
    return error;
}

hs_error *hs_conn_unlimit(hs_conn *conn, apr_pool_t *pool)
{
    const char *sql = conn->opts->dialect->unlimit;

    conn->is_unlimited = 1;
    if (!conn->fault) {
        conn->fault = HS_CONN_WORN;
    }
    return sql ? hs_conn_execute(conn, sql, pool) : NULL;
}

/* ROLLBACK also after a COMMIT that failed: SQLite leaves the transaction open. Where the database
 * is in this process that settles the matter; behind a network nobody knows what the server did. */
hs_error *hs_conn_commit(hs_conn *conn, apr_pool_t *pool)
{
    hs_error *error;

    if (conn->has_failed) {
        hs_conn_rollback(conn);
        return hs_error_make(pool, HS_DB_OTHER, "%s: a statement of the transaction failed",
                             conn->opts->dialect->driver);
    }
    error = hs_conn_execute(conn, "COMMIT", pool);
    if (!error) {
        conn->in_transaction = 0;
        return NULL;
    }
    if (!conn->fault) {
        conn->fault = HS_CONN_WORN;
    }
    hs_conn_rollback(conn);
    if (conn->opts->dialect->is_server) {
        error->code = HS_OUTCOME_UNKNOWN;
    }
    return error;
}

void hs_conn_rollback(hs_conn *conn)
{
    int is_open = conn->in_transaction;

    conn->in_transaction = 0;
    if (!is_open || conn->fault == HS_CONN_LOST) { /* who would answer? */
        return;
    }
    conn->call_us = hs_clock_now();
    if (execute(conn, "ROLLBACK") != 0 && !conn->fault) {
        conn->fault = HS_CONN_WORN;
    }
    conn->call_us = 0;
}

int hs_conn_is_busy(const hs_conn *conn)
{
    return conn->in_transaction;
}
