/* hs_db.h - layer 5: one database: the pool of connections to it and the turn to write. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_DB_H
#define HS_DB_H

#include "hs_db_conn.h"
#include "hs_error.h"

#include <apr_global_mutex.h>
#include <apr_time.h>

/* Which database, and how many connections to it this process may have. */
typedef struct hs_db_opts {
    const char *driver;             /* "sqlite3", "pgsql", "mysql" */
    const char *params;             /* as the apr_dbd driver takes them */
    int max;                        /* connections per process, 1 and up */
    apr_interval_time_t timeout_us; /* how long a caller may wait for one, and for the write turn */
    int prepare; /* 0 behind a pooler in transaction mode: no prepared statements, no SET */
    /* SQLite: whoever writes holds it from BEGIN to COMMIT, across all processes of this httpd;
     * NULL: no other process of ours writes (helpsupportctl, unit tests). */
    apr_global_mutex_t *write_turn;
} hs_db_opts;

/* Connections as one process has them; every call below may be made by any thread at once. `pool`
 * is the caller's, for errors. */
typedef struct hs_db hs_db;

/* Called with each new connection before anybody uses it, by the thread that made it; an error
 * closes it again. It checks or makes the schema. */
typedef hs_error *hs_db_greet(void *baton, hs_conn *conn, apr_time_t deadline, apr_pool_t *pool);

/* Prepare to use a database, without connecting. `opts` must outlive it; `pool`'s cleanup closes
 * all connections, none may be in use then. HS_CONFIGURATION where the driver is unknown, can't be
 * loaded or doesn't like the parameters. One thread. */
hs_error *hs_db_create(hs_db **db, const hs_db_opts *opts, hs_db_greet *greet, void *baton,
                       apr_pool_t *pool) HS_MUSTCHECK;

/* What hs_db_create checks. One thread. */
hs_error *hs_db_check_driver(const char *driver, const char *params, apr_pool_t *pool) HS_MUSTCHECK;

/* Whether it is behind a network: a statement alone is then quicker without a transaction. */
int hs_db_is_server(const hs_db *db);

/* Until when a caller who starts now may wait, by hs_clock_now, as is every deadline here. */
apr_time_t hs_db_deadline(const hs_db *db);

/* Get a connection that works, waiting for one until `deadline`. HS_UNAVAILABLE; at once while the
 * last attempt to connect, less than a second ago, failed. Give it back with hs_db_release. Never
 * take a second one while holding one. */
hs_error *hs_db_acquire(hs_db *db, hs_conn **conn, apr_time_t deadline,
                        apr_pool_t *pool) HS_MUSTCHECK;

/* Give it back; an open transaction is undone, a connection that had trouble is closed. */
void hs_db_release(hs_db *db, hs_conn *conn);

/* Begin a transaction that will write, waiting for the turn to write and for the database until
 * `deadline`. HS_UNAVAILABLE, or what hs_conn_begin says. */
hs_error *hs_db_begin(hs_db *db, hs_conn *conn, apr_time_t deadline, apr_pool_t *pool) HS_MUSTCHECK;

/* End it, and the turn: hs_conn_commit. */
hs_error *hs_db_commit(hs_db *db, hs_conn *conn, apr_pool_t *pool) HS_MUSTCHECK;

/* Undo it, and end the turn. */
void hs_db_rollback(hs_db *db, hs_conn *conn);

#endif
