/* hs_db.c - layer 5: one database: the pool of connections to it and the turn to write. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_db.h"

#include "hs_clock.h"
#include "hs_dialect.h"
#include "hs_turn.h"
#include "hs_watch.h"

#include <apr_dbd.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>

#include <pthread.h>

/* How long nobody tries to connect after it failed. */
#define FAIL_FAST_US apr_time_from_sec(1)

/* While a server may just be restarting, callers try again this often. */
#define RESTART_WAIT_US 100000

/* A statement may take as long as a caller waits, but not less than this. */
#define STATEMENT_MIN_US apr_time_from_sec(1)

/* How much longer than a statement may take its answer is waited for. */
#define OVERDUE_US apr_time_from_sec(1)

/* A connection to a server that was idle longer is asked whether it lives. */
#define IDLE_TRUSTED_US apr_time_from_sec(5)

struct hs_db {
    const hs_db_opts *opts;
    const hs_dialect *dialect;
    hs_conn_opts conn_opts;
    hs_db_greet *greet;
    void *baton;
    apr_thread_mutex_t *local_turn; /* where opts->write_turn is NULL */

    pthread_mutex_t mutex; /* guards what follows; never held while talking to the database */
    pthread_cond_t changed;
    hs_conn **idle; /* a stack: the last one used is the warmest */
    int idle_count;
    int open_count; /* idle, in use, or being connected */
    hs_conn **all;  /* that are open: what the watch looks at */
    int all_count;
    hs_watch *watch; /* of a server, from the first connection on */
    unsigned losses;
    unsigned schemas;
    apr_time_t retry_us;     /* nobody connects before */
    apr_time_t connected_us; /* when connecting last worked */
    apr_time_t failing_us;   /* since when connecting fails; 0: it doesn't */
    int is_hopeless;         /* … for a reason that no waiting removes */
    int connecting;          /* threads that are at it */
    char failure[400];       /* how */
};

static apr_status_t close_all(void *data)
{
    hs_db *db = data;

    hs_watch_stop(db->watch);
    while (db->idle_count > 0) {
        hs_conn_close(db->idle[--db->idle_count]);
    }
    pthread_cond_destroy(&db->changed);
    pthread_mutex_destroy(&db->mutex);
    return APR_SUCCESS;
}

static hs_error *load_driver(hs_conn_opts *conn_opts, const char *driver, const char *params,
                             apr_pool_t *pool)
{
    const hs_dialect *dialect = hs_dialect_find(driver);
    const char *fault;
    apr_status_t status;

    if (!dialect) {
        return hs_error_make(pool, HS_CONFIGURATION,
                             "there is no database driver \"%s\": sqlite3, pgsql and mysql are",
                             driver);
    }
    fault = dialect->check_params(params);
    if (fault) {
        return hs_error_make(pool, HS_CONFIGURATION, "%s: %s", driver, fault);
    }
    status = apr_dbd_init(pool);
    if (status == APR_SUCCESS) {
        status = apr_dbd_get_driver(pool, driver, &conn_opts->driver);
    }
    if (status != APR_SUCCESS) {
        char reason[120];

        return hs_error_make(pool, HS_CONFIGURATION,
                             "APR can't load its driver for %s: %s; on Debian install "
                             "libaprutil1-dbd-%s",
                             driver, apr_strerror(status, reason, sizeof(reason)), driver);
    }
    conn_opts->dialect = dialect;
    conn_opts->params = params;
    return NULL;
}

hs_error *hs_db_check_driver(const char *driver, const char *params, apr_pool_t *pool)
{
    hs_conn_opts ignored;

    return load_driver(&ignored, driver, params, pool);
}

hs_error *hs_db_create(hs_db **out, const hs_db_opts *opts, hs_db_greet *greet, void *baton,
                       apr_pool_t *pool)
{
    hs_db *db = apr_pcalloc(pool, sizeof(*db));
    hs_error *error = load_driver(&db->conn_opts, opts->driver, opts->params, pool);

    if (error) {
        return error;
    }
    db->opts = opts;
    db->dialect = db->conn_opts.dialect;
    db->conn_opts.prepare = opts->prepare;
    db->conn_opts.statement_us =
        opts->timeout_us > STATEMENT_MIN_US ? opts->timeout_us : STATEMENT_MIN_US;
    db->greet = greet;
    db->baton = baton;
    db->idle = apr_pcalloc(pool, sizeof(hs_conn *) * (apr_size_t)opts->max);
    db->all = apr_pcalloc(pool, sizeof(hs_conn *) * (apr_size_t)opts->max);
    if (apr_thread_mutex_create(&db->local_turn, APR_THREAD_MUTEX_TIMED, pool) != APR_SUCCESS ||
        pthread_mutex_init(&db->mutex, NULL) || hs_clock_cond_init(&db->changed)) {
        return hs_error_make(pool, HS_CONFIGURATION, "no mutex can be made");
    }
    apr_pool_cleanup_register(pool, db, close_all, apr_pool_cleanup_null);
    *out = db;
    return NULL;
}

int hs_db_is_server(const hs_db *db)
{
    return db->dialect->is_server;
}

apr_time_t hs_db_deadline(const hs_db *db)
{
    return hs_clock_now() + db->opts->timeout_us;
}

/* Cut what waits for an answer for longer than a statement may take. */
static void cut_overdue(void *baton)
{
    hs_db *db = baton;
    apr_time_t since = hs_clock_now() - db->conn_opts.statement_us - OVERDUE_US;

    pthread_mutex_lock(&db->mutex);
    for (int i = 0; i < db->all_count; i++) {
        hs_conn_cut_overdue(db->all[i], since);
    }
    pthread_mutex_unlock(&db->mutex);
}

/* Have a new connection watched. Without the mutex held. */
static void watch_conn(hs_db *db, hs_conn *conn)
{
    if (!db->dialect->is_server) {
        return;
    }
    pthread_mutex_lock(&db->mutex);
    db->all[db->all_count++] = conn;
    if (!db->watch) {
        db->watch = hs_watch_start(cut_overdue, db);
    }
    pthread_mutex_unlock(&db->mutex);
}

/* Close a connection; without the mutex held. */
static void close_conn(hs_db *db, hs_conn *conn)
{
    pthread_mutex_lock(&db->mutex);
    for (int i = 0; i < db->all_count; i++) {
        if (db->all[i] == conn) {
            db->all[i] = db->all[--db->all_count];
            break;
        }
    }
    pthread_mutex_unlock(&db->mutex);
    hs_conn_close(conn);
}

/* Give up a place in the pool. With the mutex held. */
static void leave(hs_db *db)
{
    db->open_count--;
    pthread_cond_signal(&db->changed);
}

/* Whether an idle connection may be handed out; else it has to be closed. Without the mutex. */
static int is_usable(hs_db *db, hs_conn *conn, int must_ask, apr_pool_t *pool)
{
    if (hs_conn_look(conn) != HS_CONN_GOOD) {
        return 0;
    }
    if (db->dialect->is_server &&
        hs_clock_now() - hs_conn_stamp_of(conn)->idle_us > IDLE_TRUSTED_US) {
        must_ask = 1;
    }
    return !must_ask || hs_conn_is_alive(conn, pool);
}

/* Take the warmest idle connection that works, or none. Called with the mutex held; with a
 * connection it returns without it, since every request passes here. */
static hs_conn *take_idle(hs_db *db, apr_pool_t *pool)
{
    while (db->idle_count > 0) {
        hs_conn *conn = db->idle[--db->idle_count];
        hs_conn_stamp *stamp = hs_conn_stamp_of(conn);
        unsigned losses = db->losses;
        unsigned schemas = stamp->schemas;
        int is_stale = schemas != db->schemas;
        int is_dead;

        pthread_mutex_unlock(&db->mutex);
        if (!is_stale && is_usable(db, conn, stamp->losses != losses, pool)) {
            stamp->losses = losses;
            return conn;
        }
        is_dead = !is_stale && hs_conn_look(conn) == HS_CONN_LOST;
        close_conn(db, conn);
        pthread_mutex_lock(&db->mutex);
        /* None of those that were idle with it is asked, as after a change of the schema: where the
         * host is a black hole, each would take as long to be given up. */
        db->schemas += is_dead && schemas == db->schemas;
        leave(db);
    }
    return NULL;
}

/* Whether to wait for a server that may be restarting. */
static int may_restart(const hs_db *db, apr_time_t now)
{
    return db->dialect->is_server && !db->is_hopeless &&
           now - db->failing_us < db->opts->timeout_us;
}

/* Whether to let a while pass after a failed attempt. */
static int is_too_early(const hs_db *db, apr_time_t now)
{
    return now < db->retry_us;
}

/* Whether nobody should wait: connecting fails, and it is not time for the next attempt or somebody
 * is making it. So a host that answers nothing holds one thread, not all of them. */
static int is_down(const hs_db *db, apr_time_t now)
{
    return db->failing_us && !may_restart(db, now) && (is_too_early(db, now) || db->connecting > 0);
}

/* Note whether connecting worked. With the mutex held. A server that restarts is worth waiting for,
 * as long as a caller would wait; after that, and with a file at once, callers fail fast. */
static void note_connect(hs_db *db, const hs_error *error, apr_time_t begun)
{
    apr_time_t now = hs_clock_now();

    if (!error) {
        db->failing_us = 0;
        db->connected_us = now;
        return;
    }
    /* Somebody who began later was luckier. */
    if (begun <= db->connected_us) {
        return;
    }
    if (!db->failing_us) {
        db->failing_us = now;
    }
    db->is_hopeless = error->code == HS_CONFIGURATION;
    apr_cpystrn(db->failure, error->text, sizeof(db->failure));
    db->retry_us = now + (may_restart(db, now) ? RESTART_WAIT_US : FAIL_FAST_US);
}

static hs_error *connect_and_greet(hs_db *db, hs_conn **conn, apr_time_t deadline, apr_pool_t *pool)
{
    hs_error *error = hs_conn_open(conn, &db->conn_opts, pool);

    if (error) {
        return error;
    }
    watch_conn(db, *conn);
    error = hs_conn_set_up(*conn, deadline, pool);
    if (!error) {
        error = db->greet(db->baton, *conn, deadline, pool);
    }
    if (error) {
        close_conn(db, *conn);
    }
    return error;
}

/* Connect in a place of the pool that is free. With the mutex held, which is given up meanwhile. */
static hs_error *connect_new(hs_db *db, hs_conn **conn, apr_time_t deadline, apr_pool_t *pool)
{
    apr_time_t begun = hs_clock_now();
    hs_conn_stamp stamp = {.losses = db->losses, .schemas = db->schemas};
    hs_error *error;

    db->open_count++;
    db->connecting++;
    pthread_mutex_unlock(&db->mutex);
    error = connect_and_greet(db, conn, deadline, pool);
    pthread_mutex_lock(&db->mutex);
    db->connecting--;
    note_connect(db, error, begun);
    if (error) {
        error->code = HS_UNAVAILABLE;
        leave(db);
        return error;
    }
    *hs_conn_stamp_of(*conn) = stamp;
    return NULL;
}

/* Where none is idle: connect, fail, or wait until something changes. Returns whether that is the
 * end of it: *conn or *error. With the mutex held. */
static int connect_or_wait(hs_db *db, hs_conn **conn, hs_error **error, apr_time_t deadline,
                           apr_pool_t *pool)
{
    apr_time_t now = hs_clock_now();
    apr_time_t until = deadline;

    if (is_down(db, now) || (db->failing_us && now >= deadline)) {
        *error = hs_error_make(pool, HS_UNAVAILABLE, "%s", db->failure);
        return 1;
    }
    if (db->open_count < db->opts->max && !is_too_early(db, now)) {
        *error = connect_new(db, conn, deadline, pool);
        return !*error || !may_restart(db, hs_clock_now());
    }
    if (db->open_count < db->opts->max && db->retry_us < until) {
        until = db->retry_us;
    }
    if (now >= deadline) {
        *error = hs_error_make(pool, HS_UNAVAILABLE,
                               "all %d connections were busy for %d ms: raise HelpSupportDBPool",
                               db->opts->max, (int)(db->opts->timeout_us / 1000));
        return 1;
    }
    (void)hs_clock_cond_wait(&db->changed, &db->mutex, until);
    return 0;
}

hs_error *hs_db_acquire(hs_db *db, hs_conn **conn, apr_time_t deadline, apr_pool_t *pool)
{
    hs_error *error;

    pthread_mutex_lock(&db->mutex);
    do {
        error = NULL;
        *conn = take_idle(db, pool);
        if (*conn) {
            return NULL;
        }
    } while (!connect_or_wait(db, conn, &error, deadline, pool));
    pthread_mutex_unlock(&db->mutex);
    return error;
}

/* The stamp stays as it was when the connection was last known to be good: if another one was lost
 * while this one was in use, this one is asked before its next use. */
void hs_db_release(hs_db *db, hs_conn *conn)
{
    hs_conn_fault fault;

    hs_db_rollback(db, conn);
    fault = hs_conn_look(conn);
    if (fault != HS_CONN_GOOD) {
        close_conn(db, conn);
    }
    pthread_mutex_lock(&db->mutex);
    db->losses += fault == HS_CONN_LOST;
    db->schemas += fault == HS_CONN_SCHEMA;
    if (fault != HS_CONN_GOOD) {
        leave(db);
    } else {
        hs_conn_stamp_of(conn)->idle_us = hs_clock_now();
        db->idle[db->idle_count++] = conn;
    }
    pthread_mutex_unlock(&db->mutex);
    /* Not before: whoever is woken needs the mutex at once. */
    if (fault == HS_CONN_GOOD) {
        pthread_cond_signal(&db->changed);
    }
}

static apr_status_t take_turn(hs_db *db, apr_time_t deadline)
{
    apr_interval_time_t wait_us = deadline - hs_clock_now();

    if (!db->dialect->has_one_writer) {
        return APR_SUCCESS;
    }
    if (wait_us < 0) {
        wait_us = 0;
    }
    return db->opts->write_turn ? hs_turn_take(db->opts->write_turn, wait_us)
                                : apr_thread_mutex_timedlock(db->local_turn, wait_us);
}

static void end_turn(hs_db *db)
{
    if (!db->dialect->has_one_writer) {
        return;
    }
    if (db->opts->write_turn) {
        apr_global_mutex_unlock(db->opts->write_turn);
    } else {
        apr_thread_mutex_unlock(db->local_turn);
    }
}

hs_error *hs_db_begin(hs_db *db, hs_conn *conn, apr_time_t deadline, apr_pool_t *pool)
{
    apr_status_t status = take_turn(db, deadline);
    hs_error *error;

    if (status != APR_SUCCESS) {
        char reason[120];

        return hs_error_make(pool, HS_UNAVAILABLE, "the turn to write did not come in time: %s",
                             apr_strerror(status, reason, sizeof(reason)));
    }
    error = hs_conn_begin(conn, deadline, pool);
    if (error) {
        end_turn(db);
    }
    return error;
}

hs_error *hs_db_commit(hs_db *db, hs_conn *conn, apr_pool_t *pool)
{
    hs_error *error = hs_conn_commit(conn, pool);

    end_turn(db);
    return error;
}

void hs_db_rollback(hs_db *db, hs_conn *conn)
{
    if (hs_conn_is_busy(conn)) {
        hs_conn_rollback(conn);
        end_turn(db);
    }
}
