/* hs_store_list.c - layer 7: a page of tickets, and how many there are. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_sql.h"
#include "hs_store.h"
#include "hs_store_int.h"

/* Up to this many tickets are sorted rather than found by walking an index in order. */
#define SORTED_MAX 5000

typedef struct request {
    hs_page *page;
    const hs_list *list;
} request;

static int has_range(const hs_list *list, hs_sort axis)
{
    return axis == HS_SORT_UPDATED ? list->has_updated_after
                                   : list->has_created_after || list->has_created_before;
}

static hs_error *count(hs_store *store, hs_conn *conn, apr_int64_t *total, const hs_list *list,
                       apr_int64_t cap, apr_pool_t *pool)
{
    const void **values;
    const char *sql = hs_store_compose_count(store, &values, list, cap, pool);
    hs_rows *rows;
    hs_error *error = hs_conn_select(conn, &rows, sql, values, pool);

    if (!error) {
        *total = hs_rows_number(rows, 0, 0);
    }
    return error;
}

/* A list in one order with a range in the other can walk its own order and pass over what is not in
 * the range, or take the range and sort it. The first is bad where few match, the second where many
 * do; so a few are counted first. One user's or one address's tickets come from one index anyway,
 * and words know only one order. */
static hs_error *choose_axis(hs_store *store, hs_conn *conn, hs_sort *axis, const hs_list *list,
                             apr_pool_t *pool)
{
    hs_sort other = list->sort == HS_SORT_CREATED ? HS_SORT_UPDATED : HS_SORT_CREATED;
    hs_list probe = *list;
    apr_int64_t matches;
    hs_error *error;

    *axis = list->sort;
    if (list->words || list->user_id || list->email || !has_range(list, other)) {
        return NULL;
    }
    if (other == HS_SORT_CREATED) {
        probe.has_updated_after = 0;
    } else {
        probe.has_created_after = probe.has_created_before = 0;
    }
    error = count(store, conn, &matches, &probe, SORTED_MAX, pool);
    if (!error && matches <= SORTED_MAX) {
        *axis = other;
    }
    return error;
}

static int is_filtered(const hs_list *list)
{
    return list->words || list->user_id || list->email || list->statuses ||
           has_range(list, HS_SORT_CREATED) || has_range(list, HS_SORT_UPDATED);
}

static hs_error *count_total(hs_store *store, hs_conn *conn, hs_page *page, const hs_list *list,
                             apr_pool_t *pool)
{
    apr_int64_t cap = list->count == HS_COUNT_CAPPED ? list->count_cap : 0;
    hs_error *error = NULL;
    hs_rows *rows;

    if (list->count == HS_COUNT_NONE) {
        return NULL;
    }
    /* SQLite counts the pages of an index without looking at its rows. */
    if (cap == 0 && !is_filtered(list)) {
        error = hs_conn_select(conn, &rows, hs_store_sql(store, HS_SQL_TICKET_COUNT), NULL, pool);
        if (!error) {
            page->total = hs_rows_number(rows, 0, 0);
        }
        return error;
    }
    error = count(store, conn, &page->total, list, cap, pool);
    if (!error && cap > 0 && page->total > cap) {
        page->total = cap;
        page->total_is_capped = 1;
    }
    return error;
}

static hs_error *read_page(hs_store *store, hs_conn *conn, void *baton, apr_pool_t *pool)
{
    request *self = baton;
    hs_page *page = self->page;
    const hs_list *list = self->list;
    const void **values;
    const char *sql;
    hs_rows *rows;
    hs_sort axis;
    hs_error *error = choose_axis(store, conn, &axis, list, pool);

    *page = (hs_page){.tickets = apr_array_make(pool, 100, sizeof(const hs_ticket *))};
    if (error) {
        return error;
    }
    sql = hs_store_compose(store, &values, list, axis, pool);
    error = hs_conn_select(conn, &rows, sql, values, pool);
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
