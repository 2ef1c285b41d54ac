/* hs_store_list.c - layer 8: a page of tickets, and how many there are. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_sql.h"
#include "hs_store.h"
#include "hs_store_int.h"

typedef struct request {
    hs_page *page;
    const hs_list *list;
} request;

static int is_filtered(const hs_list *list)
{
    return list->words || list->user_id || list->email || list->statuses ||
           list->has_created_after || list->has_created_before || list->has_updated_after;
}

static hs_error *count_by(hs_store *store, hs_conn *conn, apr_int64_t *total, const hs_list *list,
                          const hs_way *way, apr_pool_t *pool)
{
    const void **values;
    const char *sql = hs_store_compose_count(store, &values, list, way, list->count_cap, pool);
    hs_rows *rows;
    hs_error *error = hs_conn_select(conn, &rows, sql, values, pool);

    if (!error) {
        *total = hs_rows_number(rows, 0, 0);
    }
    return error;
}

/* A count has no order of its own, so it takes that of a range that it has; nor has it a page. */
static hs_list list_of_count(const hs_list *list)
{
    hs_list all = *list;

    all.sort = list->has_updated_after && !list->has_created_after && !list->has_created_before
                   ? HS_SORT_UPDATED
                   : HS_SORT_CREATED;
    all.descending = 1;
    all.has_cursor = 0;
    if (list->count == HS_COUNT_EXACT) {
        all.count_cap = 0;
    }
    return all;
}

static hs_error *count_filtered(hs_store *store, hs_conn *conn, hs_page *page, const hs_list *all,
                                apr_pool_t *pool)
{
    apr_int64_t need = all->count_cap > 0 ? all->count_cap + 1 : 0;
    hs_way way;
    hs_error *error = hs_store_choose(store, conn, &way, all, need, pool);

    if (!error) {
        error = count_by(store, conn, &page->total, all, &way, pool);
    }
    if (!error && way.has_stop && page->total < need) {
        error = hs_store_choose_all(store, conn, &way, all, pool);
        if (!error) {
            error = count_by(store, conn, &page->total, all, &way, pool);
        }
    }
    if (!error && need && page->total == need) {
        page->total = all->count_cap;
        page->total_is_capped = 1;
    }
    return error;
}

static hs_error *count_total(hs_store *store, hs_conn *conn, hs_page *page, const hs_list *list,
                             apr_pool_t *pool)
{
    const hs_list all = list_of_count(list);
    hs_error *error = NULL;
    hs_rows *rows;

    if (list->count == HS_COUNT_NONE) {
        return NULL;
    }
    if (list->count == HS_COUNT_CAPPED || is_filtered(list)) {
        return count_filtered(store, conn, page, &all, pool);
    }
    /* SQLite counts the pages of an index without looking at its rows. */
    error = hs_conn_select(conn, &rows, hs_store_sql(store, HS_SQL_TICKET_COUNT), NULL, pool);
    if (!error) {
        page->total = hs_rows_number(rows, 0, 0);
    }
    return error;
}

static hs_error *read_by(hs_store *store, hs_conn *conn, hs_rows **rows, const hs_list *list,
                         const hs_way *way, apr_pool_t *pool)
{
    const void **values;
    const char *sql = hs_store_compose(store, &values, list, way, pool);

    return hs_conn_select(conn, rows, sql, values, pool);
}

static hs_error *read_rows(hs_store *store, hs_conn *conn, hs_rows **rows, const hs_list *list,
                           apr_pool_t *pool)
{
    apr_int64_t skip = list->has_skip ? list->skip : 0;
    apr_int64_t most = APR_INT64_MAX - HS_LIMIT_MAX - 1;
    hs_way way;
    hs_error *error = hs_store_choose(store, conn, &way, list,
                                      (skip < most ? skip : most) + list->limit + 1, pool);

    if (!error) {
        error = read_by(store, conn, rows, list, &way, pool);
    }
    if (!error && way.has_stop && (*rows)->count <= list->limit) {
        error = hs_store_choose_all(store, conn, &way, list, pool);
        if (!error) {
            error = read_by(store, conn, rows, list, &way, pool);
        }
    }
    return error;
}

static hs_error *read_page(hs_store *store, hs_conn *conn, void *baton, apr_pool_t *pool)
{
    request *self = baton;
    hs_page *page = self->page;
    const hs_list *list = self->list;
    hs_rows *rows = NULL;
    hs_error *error = read_rows(store, conn, &rows, list, pool);

    *page = (hs_page){.tickets = apr_array_make(pool, 100, sizeof(const hs_ticket *))};
    if (error) {
        return error;
    }
    for (int row = 0; row < rows->count && row < list->limit; row++) {
        APR_ARRAY_PUSH(page->tickets, const hs_ticket *) = hs_store_ticket(rows, row, pool);
    }
    page->has_more = rows->count > list->limit;
    return count_total(store, conn, page, list, pool);
}

hs_error *hs_store_list(hs_store *store, hs_page *page, const hs_list *list, apr_pool_t *pool)
{
    request self = {.page = page, .list = list};

    return hs_store_read(store, read_page, &self, pool);
}
