/* hs_store_run.c - layer 7: runs the store's statements, again where a connection was lost. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_clock.h"
#include "hs_sql.h"
#include "hs_store_int.h"

#include <apr_strings.h>

/* The first try meets a schema that was changed while nobody looked, the second a connection that
 * is new. */
#define TRIES 3

/* A server that goes down takes its sessions one by one: what is asked meanwhile can lose several
 * connections that were just checked. And a transaction that a deadlock undid can meet the next
 * one. So these are tried again more often, after a growing pause. */
#define TRIES_PASSING 10
#define PAUSE_US 10000

/* A statement of rows has about that many octets, the last row coming on top: a MariaDB server may
 * take no more than 1 MiB. */
#define STATEMENT_OCTETS (512 * 1024)

const char *hs_store_sql(const hs_store *store, int sql)
{
    return store->sql[sql];
}

hs_error *hs_store_outward(hs_error *error)
{
    if (!error) {
        return NULL;
    }
    switch (error->code) {
    case HS_DB_UNIQUE:
    case HS_DB_BUSY:
    case HS_DB_LOST:
    case HS_DB_GONE:
    case HS_DB_SCHEMA:
    case HS_DB_OTHER:
        error->code = HS_UNAVAILABLE;
        return error;
    case HS_MALFORMED:
    case HS_INVALID:
    case HS_NOT_FOUND:
    case HS_STALE:
    case HS_KEY_MISMATCH:
    case HS_UNAVAILABLE:
    case HS_OUTCOME_UNKNOWN:
    case HS_CONFIGURATION:
    default:
        return error;
    }
}

int hs_store_may_be_one_row(const hs_error *error)
{
    return error->code == HS_DB_UNIQUE || error->code == HS_DB_OTHER;
}

static int is_lost(const hs_error *error)
{
    return error->code == HS_DB_LOST || error->code == HS_DB_GONE;
}

/* Whether the same can succeed on another connection, or a moment later. */
static int is_passing(const hs_error *error)
{
    return is_lost(error) || error->code == HS_DB_SCHEMA || error->code == HS_DB_BUSY;
}

/* Whether there is another try after try number `try`, from 0; waits for it. */
static int is_tried_again(const hs_error *error, int try, apr_time_t deadline)
{
    if (!is_lost(error) && error->code != HS_DB_BUSY && error->code != HS_OUTCOME_UNKNOWN) {
        return try + 1 < TRIES;
    }
    if (try + 1 >= TRIES_PASSING || hs_clock_now() >= deadline) {
        return 0;
    }
    apr_sleep(PAUSE_US * try);
    return 1;
}

hs_error *hs_store_read(hs_store *store, hs_store_work *work, void *baton, apr_pool_t *pool)
{
    return hs_store_read_until(store, work, baton, hs_db_deadline(store->db), pool);
}

hs_error *hs_store_read_until(hs_store *store, hs_store_work *work, void *baton,
                              apr_time_t deadline, apr_pool_t *pool)
{
    hs_error *error = NULL;

    for (int try = 0;; try++) {
        hs_conn *conn;

        error = hs_db_acquire(store->db, &conn, deadline, pool);
        if (error) {
            break;
        }
        error = work(store, conn, baton, pool);
        hs_db_release(store->db, conn);
        if (!error || !is_passing(error) || !is_tried_again(error, try, deadline)) {
            break;
        }
    }
    return hs_store_outward(error);
}

typedef struct statement {
    hs_rows **rows;
    int sql;
    const void **values;
} statement;

static hs_error *run_statement(hs_store *store, hs_conn *conn, void *baton, apr_pool_t *pool)
{
    statement *one = baton;

    return hs_conn_select(conn, one->rows, hs_store_sql(store, one->sql), one->values, pool);
}

hs_error *hs_store_select(hs_store *store, hs_rows **rows, int sql, const void **values,
                          apr_pool_t *pool)
{
    statement one = {.rows = rows, .sql = sql, .values = values};

    return hs_store_read(store, run_statement, &one, pool);
}

/* A write that is to be done. */
typedef struct writing {
    hs_store_work *work;
    void *baton;
    hs_store_again again;
    int is_alone; /* its one statement is its own transaction */
} writing;

/* A statement that is its own transaction commits before it answers: without an answer nobody knows
 * what came of it. */
static hs_error *run_alone(hs_store *store, hs_conn *conn, const writing *self, apr_pool_t *pool)
{
    hs_error *error = self->work(store, conn, self->baton, pool);

    if (error && error->code == HS_DB_LOST) {
        error->code = HS_OUTCOME_UNKNOWN;
    }
    return error;
}

static hs_error *transact(hs_store *store, hs_conn *conn, const writing *self, apr_time_t deadline,
                          apr_pool_t *pool)
{
    hs_error *error = hs_db_begin(store->db, conn, deadline, pool);

    if (!error) {
        error = self->work(store, conn, self->baton, pool);
    }
    if (!error && hs_conn_is_busy(conn)) {
        error = hs_db_commit(store->db, conn, pool);
    }
    return error;
}

static hs_error *try_writing(hs_store *store, const writing *self, apr_time_t deadline,
                             apr_pool_t *pool)
{
    hs_conn *conn;
    hs_error *error = hs_db_acquire(store->db, &conn, deadline, pool);

    if (error) {
        return error;
    }
    error = self->is_alone ? run_alone(store, conn, self, pool)
                           : transact(store, conn, self, deadline, pool);
    hs_db_release(store->db, conn);
    return error;
}

static hs_error *write_again(hs_store *store, const writing *self, apr_time_t deadline,
                             apr_pool_t *pool)
{
    hs_error *unknown = NULL;
    hs_error *error = NULL;

    for (int try = 0;; try++) {
        error = try_writing(store, self, deadline, pool);
        if (!error) {
            return NULL;
        }
        if (error->code == HS_OUTCOME_UNKNOWN) {
            unknown = error;
        }
        if (unknown ? self->again == HS_STORE_BLIND : !is_passing(error)) {
            break;
        }
        if (!is_tried_again(error, try, deadline)) {
            break;
        }
    }
    return unknown ? unknown : error;
}

hs_error *hs_store_write(hs_store *store, hs_store_work *work, void *baton, hs_store_again again,
                         apr_time_t deadline, apr_pool_t *pool)
{
    const writing self = {.work = work, .baton = baton, .again = again};

    return write_again(store, &self, deadline, pool);
}

hs_error *hs_store_apply(hs_store *store, hs_store_work *work, void *baton, apr_time_t deadline,
                         apr_pool_t *pool)
{
    const writing self = {.work = work,
                          .baton = baton,
                          .again = HS_STORE_LOOKS,
                          .is_alone = hs_db_is_server(store->db)};

    return write_again(store, &self, deadline, pool);
}

hs_error *hs_store_write_rows(hs_conn *conn, const char *sql, int count, hs_store_put_row *put,
                              const void *baton, apr_pool_t *pool)
{
    hs_error *error = NULL;
    int row = 0;
    hs_buffer json;

    hs_buffer_init(&json, STATEMENT_OCTETS + STATEMENT_OCTETS / 16, pool); /* it ends with a row */
    while (!error && row < count) {
        json.length = 0;
        while (row < count && json.length < STATEMENT_OCTETS) {
            hs_buffer_putc(&json, json.length == 0 ? '[' : ',');
            put(&json, baton, row++, pool);
        }
        hs_buffer_putc(&json, ']');
        error = hs_conn_query(conn, NULL, sql, (const void *[]){json.data}, pool);
    }
    return error;
}

hs_error *hs_store_unpack_numbers(apr_array_header_t *numbers, const char *text, apr_int64_t count,
                                  apr_pool_t *pool)
{
    apr_int64_t wanted = numbers->nelts + count;

    while (text && *text) {
        char *end;

        APR_ARRAY_PUSH(numbers, apr_int64_t) = apr_strtoi64(text, &end, 10);
        text = *end ? end + 1 : NULL;
    }
    return numbers->nelts == wanted
               ? NULL
               : hs_error_make(pool, HS_UNAVAILABLE, "the database cuts long values");
}

hs_error *hs_store_clock(hs_store *store, hs_conn *conn, apr_int64_t *now, apr_pool_t *pool)
{
    const char *sql = hs_store_sql(store, HS_SQL_CLOCK);
    hs_rows *rows;
    hs_error *error;

    *now = apr_time_now();
    if (!sql) {
        return NULL;
    }
    error = hs_conn_select(conn, &rows, sql, NULL, pool);
    if (!error) {
        *now = hs_rows_number(rows, 0, 0);
    }
    return error;
}

hs_ticket *hs_store_ticket(const hs_rows *rows, int row, apr_pool_t *pool)
{
    hs_ticket *ticket = apr_palloc(pool, sizeof(*ticket));

    ticket->number = hs_rows_number(rows, row, 0);
    ticket->id = hs_rows_text(rows, row, 1);
    ticket->user_id = hs_rows_text(rows, row, 2);
    ticket->name = hs_rows_text(rows, row, 3);
    ticket->phone_number = hs_rows_text(rows, row, 4);
    ticket->email = hs_rows_text(rows, row, 5);
    ticket->message = hs_rows_text(rows, row, 6);
    ticket->status = (hs_status)hs_rows_number(rows, row, 7);
    ticket->version = hs_rows_number(rows, row, 8);
    ticket->created_us = hs_rows_number(rows, row, 9);
    ticket->updated_us = hs_rows_number(rows, row, 10);
    return ticket;
}

hs_ticket *hs_store_ticket_copy(const hs_ticket *ticket, apr_pool_t *pool)
{
    hs_ticket *copy = apr_pmemdup(pool, ticket, sizeof(*ticket));

    copy->id = apr_pstrdup(pool, ticket->id);
    copy->user_id = apr_pstrdup(pool, ticket->user_id);
    copy->name = apr_pstrdup(pool, ticket->name);
    copy->phone_number = apr_pstrdup(pool, ticket->phone_number);
    copy->email = apr_pstrdup(pool, ticket->email);
    copy->message = apr_pstrdup(pool, ticket->message);
    return copy;
}
