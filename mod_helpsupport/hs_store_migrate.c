/* hs_store_migrate.c - layer 7: makes the schema of an earlier version one of this version. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_buffer.h"
#include "hs_sql.h"
#include "hs_store_int.h"

/* As in hs_store_copy.c: tickets that are read at once. */
#define PAGE_ROWS 200

static void put_words(hs_buffer *json, const void *baton, int row, apr_pool_t *pool)
{
    const hs_ticket *ticket = hs_store_ticket(baton, row, pool);

    hs_buffer_putc(json, '[');
    hs_buffer_put_number(json, ticket->number);
    hs_buffer_putc(json, ',');
    hs_buffer_puts(json, hs_store_words(ticket, pool));
    hs_buffer_putc(json, ']');
}

/* The words of all tickets, made anew: what version 1 had stored differs from one database to the
 * next, and MariaDB's were ASCII, cut after 84 octets. */
static hs_error *fill_words(hs_store *store, hs_conn *conn, apr_pool_t *pool)
{
    const apr_int64_t limit = PAGE_ROWS;
    apr_int64_t after = 0;
    hs_rows *rows;
    apr_pool_t *page;

    apr_pool_create(&page, pool);
    do {
        hs_error *error;

        apr_pool_clear(page);
        error = hs_conn_select(conn, &rows, hs_store_sql(store, HS_SQL_COPY_READ_TICKET),
                               (const void *[]){&after, &limit}, page);
        if (!error) {
            error = hs_store_write_rows(conn, hs_store_sql(store, HS_SQL_COPY_WORDS), rows->count,
                                        put_words, rows, page);
        }
        if (error) {
            return error;
        }
        after = rows->count > 0 ? hs_rows_number(rows, rows->count - 1, 0) : after;
    } while (rows->count == PAGE_ROWS);
    return NULL;
}

/* One step. The last statement marks the next version; MariaDB, which commits each, must not have
 * it before all else is there. */
static hs_error *leave_version(hs_store *store, hs_conn *conn, apr_int64_t version,
                               apr_pool_t *pool)
{
    const char *const *sql = store->migrations[version];
    hs_error *error = NULL;

    for (; !error && sql[1]; sql++) {
        error = hs_conn_execute(conn, *sql, pool);
    }
    if (!error && version == 1) {
        error = fill_words(store, conn, pool);
    }
    return error ? error : hs_conn_execute(conn, *sql, pool);
}

/* An httpd of version 1 that still runs loses nothing: each of its submissions writes what the
 * first statement of the step takes away, so that statement waits for those that have begun, which
 * fill_words then sees, and the others fail. After that it finds a newer version. */
hs_error *hs_store_migrate(hs_store *store, hs_conn *conn, apr_int64_t version, apr_pool_t *pool)
{
    hs_error *error = hs_conn_unlimit(conn, pool);

    for (; !error && version < HS_SCHEMA_VERSION; version++) {
        error = leave_version(store, conn, version, pool);
    }
    return error;
}
