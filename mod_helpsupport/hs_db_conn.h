/* hs_db_conn.h - layer 4: one connection to a database: its statements, rows and transaction. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_DB_CONN_H
#define HS_DB_CONN_H

#include "hs_error.h"

#include <apr_strings.h>
#include <apr_time.h>

/* A connection, used by one thread at a time. A deadline is hs_clock_now's. Errors below are the
 * classes HS_DB_*, or HS_UNAVAILABLE where no statement can succeed before the administrator acts;
 * `pool` is the caller's, for results and errors. */
typedef struct hs_conn hs_conn;

/* How to connect. */
typedef struct hs_conn_opts {
    const struct hs_dialect *dialect;
    const struct apr_dbd_driver_t *driver;
    const char *params;
    int prepare; /* 0: no statement and no setting outlives its call (pooler in between) */
    apr_interval_time_t statement_us; /* how long a statement may take */
} hs_conn_opts;

/* The rows of a query: they live as long as its pool. */
typedef struct hs_rows {
    int count;
    int columns;
    const char **values; /* count × columns; NULL is SQL's NULL */
} hs_rows;

/* What its pool knows of a connection: which losses of others came before it was last known to be
 * good, and since when it is idle. */
typedef struct hs_conn_stamp {
    unsigned losses;
    unsigned schemas;
    apr_time_t idle_us;
} hs_conn_stamp;

/* Why a connection can't be used again. */
typedef enum hs_conn_fault {
    HS_CONN_GOOD = 0,
    HS_CONN_WORN,  /* too many statements, or a failed COMMIT: it alone */
    HS_CONN_LOST,  /* others may be dead too */
    HS_CONN_SCHEMA /* the statements of all others are invalid too */
} hs_conn_fault;

/* Connect. `opts` must outlive the connection. A failure is HS_UNAVAILABLE and says what to look
 * at.
 */
hs_error *hs_conn_open(hs_conn **conn, const hs_conn_opts *opts, apr_pool_t *pool) HS_MUSTCHECK;

/* Set up the session of a new connection, trying again until `deadline` while the database is busy.
 * A call of its own, so that it can be watched: a server may stop here, too. */
hs_error *hs_conn_set_up(hs_conn *conn, apr_time_t deadline, apr_pool_t *pool) HS_MUSTCHECK;

/* Close it; a transaction that is still open is undone. */
void hs_conn_close(hs_conn *conn);

/* The pool's own note on it, zero at first; the pool guards it. */
hs_conn_stamp *hs_conn_stamp_of(hs_conn *conn);

/* Cut it where the call that is at it began before `since`: a server that neither answers nor
 * closes would hold its thread for ever. The call then fails with HS_DB_LOST, or HS_DB_GONE where
 * it was preparing a statement. `since` is hs_clock_now's. Thread: any other; the connection must
 * not be closed meanwhile. */
void hs_conn_cut_overdue(hs_conn *conn, apr_time_t since);

/* Whether it can be used again; tells it about a file that was moved. Asks no server. */
hs_conn_fault hs_conn_look(hs_conn *conn);

/* Whether it answers (one round trip), for which it has no time but what hs_conn_cut_overdue leaves
 * to any call beyond that of its statement. */
int hs_conn_is_alive(hs_conn *conn, apr_pool_t *pool);

/* Prepare `sql` (apr_dbd's %s and %lld are its parameters), which stays prepared with the
 * connection, up to a bound. Called by the two below. */
hs_error *hs_conn_prepare(hs_conn *conn, const char *sql, apr_pool_t *pool) HS_MUSTCHECK;

/* Run a statement that returns rows. `values` holds a pointer for each parameter: to the string for
 * %s, to an apr_int64_t for %lld, NULL for NULL. */
hs_error *hs_conn_select(hs_conn *conn, hs_rows **rows, const char *sql, const void **values,
                         apr_pool_t *pool) HS_MUSTCHECK;

/* Run a statement that returns none; *changed (may be NULL) is the number of rows it changed. */
hs_error *hs_conn_query(hs_conn *conn, int *changed, const char *sql, const void **values,
                        apr_pool_t *pool) HS_MUSTCHECK;

/* The same two without parameters and without preparing anything: for what is asked once, and for
 * what changes the schema. hs_conn_ask without `rows` is hs_conn_execute. */
hs_error *hs_conn_ask(hs_conn *conn, hs_rows **rows, const char *sql,
                      apr_pool_t *pool) HS_MUSTCHECK;
hs_error *hs_conn_execute(hs_conn *conn, const char *sql, apr_pool_t *pool) HS_MUSTCHECK;

/* Begin a transaction that will write, trying again until `deadline` while the database is busy. */
hs_error *hs_conn_begin(hs_conn *conn, apr_time_t deadline, apr_pool_t *pool) HS_MUSTCHECK;

/* Let the statements of the transaction take as long as they take, except that they wait a minute
 * for a lock. The connection is not used again after it. */
hs_error *hs_conn_unlimit(hs_conn *conn, apr_pool_t *pool) HS_MUSTCHECK;

/* Commit. NULL only if every statement since begin succeeded and so did COMMIT. After
 * HS_OUTCOME_UNKNOWN the database may or may not have it; after other errors it has not. */
hs_error *hs_conn_commit(hs_conn *conn, apr_pool_t *pool) HS_MUSTCHECK;

/* Undo the transaction, if there is one. */
void hs_conn_rollback(hs_conn *conn);

/* Whether a transaction is open. */
int hs_conn_is_busy(const hs_conn *conn);

/* A value as text; NULL is SQL's NULL. */
static inline const char *hs_rows_text(const hs_rows *rows, int row, int column)
{
    return rows->values[row * rows->columns + column];
}

/* A value as an integer; NULL counts as 0. */
static inline apr_int64_t hs_rows_number(const hs_rows *rows, int row, int column)
{
    const char *text = hs_rows_text(rows, row, column);

    return text ? apr_atoi64(text) : 0;
}

#endif
