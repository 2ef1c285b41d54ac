/* hs_dialect.h - layer 2: what differs from one database to the next. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_DIALECT_H
#define HS_DIALECT_H

#include "hs_error.h"

#include <apr_time.h>

/* One statement of the session set-up, run on each new connection. It is run as a query for rows,
 * because apr_dbd_sqlite3 takes a row for an error anywhere else; but apr_dbd_mysql crashes where a
 * query has none. */
typedef struct hs_dialect_setting {
    const char *sql;
    const char *expected; /* what its first value must be; NULL: whatever comes */
    int has_no_rows;      /* and must not be run as a query */
} hs_dialect_setting;

/* All that hs_db must know of a database beyond apr_dbd's own abstraction. Static, read-only. */
typedef struct hs_dialect {
    const char *driver;  /* apr_dbd's name */
    const char *begin;   /* a transaction that will write */
    const char *probe;   /* returns a row on a connection that lives */
    const char *unlimit; /* lifts the limits on statements inside a transaction, or NULL */
    /* 1: behind a network, so it may restart (worth waiting for) and a lost COMMIT leaves the
     * outcome open. 0: in this process, where a COMMIT that failed is undone by ROLLBACK. */
    int is_server;
    int has_one_writer;    /* 1: writers take turns, from before BEGIN to after COMMIT */
    int rows_are_numbered; /* 1: apr_dbd_get_row wants 1 … n; 0: only -1, "the next", is quick */
    int hides_errors;      /* 1: a select may return success though its rows did not come */
    int copies_rows;       /* 1: values live as long as the pool of the query */

    /* Run statements without rows; returns a status for classify. NULL where apr_dbd does it
     * without waiting for long. */
    int (*execute)(void *native, const char *sql);

    /* The class of a failed call: HS_DB_*, or HS_UNAVAILABLE where no statement can succeed before
     * the administrator acts; *advice then says how, else it is NULL. `native` is the driver's own
     * handle, `status` what apr_dbd returned. Call it before anything else is done with `native`.
     */
    hs_code (*classify)(void *native, int status, const char **advice);

    /* Whether the connection no longer leads to where its parameters point. */
    int (*is_astray)(void *native);

    /* What is wrong with the parameters, or NULL. They may hold a password: never repeats them. */
    const char *(*check_params)(const char *params);

    /* Prepare to connect, and what to connect with: the parameters and what they leave open. No
     * statement may take longer than `statement_us`; 0: a pooler is in between, which takes no
     * session's settings. In `pool`. */
    const char *(*before_connect)(const char *params, apr_interval_time_t statement_us,
                                  apr_pool_t *pool);

    /* The session set-up, which ends with a NULL sql, or NULL where the parameters say it all; no
     * statement may then take longer than `statement_us`. May be in `pool`. */
    const hs_dialect_setting *(*settings)(apr_interval_time_t statement_us, apr_pool_t *pool);

    /* Called with the new connection, or NULL where there is nothing to do. */
    void (*after_connect)(void *native);

    /* The descriptor of its socket, or -1; NULL where there is none. */
    int (*socket)(void *native);

    /* Of the driver's text of an error what may be logged, which excludes all that clients sent, in
     * one line. In `pool`. NULL: all of it may. */
    const char *(*reason)(const char *text, apr_pool_t *pool);

    /* What to look at when connecting fails with this text of the driver. */
    const char *(*connect_advice)(const char *text);
} hs_dialect;

/* The dialect of an apr_dbd driver, or NULL where this program doesn't know it. Thread: any. */
const hs_dialect *hs_dialect_find(const char *driver);

/* The dialects, each from a file of its own; hs_dialect_find's. */
extern const hs_dialect hs_dialect_sqlite3;
extern const hs_dialect hs_dialect_pgsql;
extern const hs_dialect hs_dialect_mysql;

#endif
