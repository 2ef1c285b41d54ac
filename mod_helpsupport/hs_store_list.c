/* hs_store_list.c - layer 8: a page of tickets, and how many there are. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_json.h"
#include "hs_sql.h"
#include "hs_store.h"
#include "hs_store_int.h"

typedef struct request {
    hs_page *page;
    const hs_list *list;
} request;

int hs_store_list_has_filters(const hs_list *list)
{
    return list->user_id || list->email || list->statuses || list->has_created_after ||
           list->has_created_before || list->has_updated_after;
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

/* A count has no order of its own, so it takes that of a range that it has; nor has it a page. With
 * words it is made in several statements, so it takes the order that nobody changes meanwhile. */
static hs_list list_of_count(const hs_list *list)
{
    hs_list all = *list;
    int by_change = list->has_updated_after && !list->has_created_after &&
                    !list->has_created_before && !list->words;

    all.sort = by_change ? HS_SORT_UPDATED : HS_SORT_CREATED;
    all.descending = 1;
    all.has_cursor = 0;
    if (list->count == HS_COUNT_EXACT) {
        all.count_cap = 0;
    }
    return all;
}

static hs_error *count_chosen(hs_store *store, hs_conn *conn, apr_int64_t *total,
                              const hs_list *all, apr_int64_t need, apr_pool_t *pool)
{
    hs_way way;
    hs_error *error = hs_store_choose(store, conn, &way, all, need, pool);

    if (!error) {
        error = count_by(store, conn, total, all, &way, pool);
    }
    if (!error && way.has_stop && *total < need) {
        way = hs_store_way_to_all(all);
        error = count_by(store, conn, total, all, &way, pool);
    }
    return error;
}

static hs_error *count_filtered(hs_store *store, hs_conn *conn, hs_page *page, const hs_list *all,
                                apr_pool_t *pool)
{
    apr_int64_t need = all->count_cap > 0 ? all->count_cap + 1 : 0;
    hs_error *error = all->words ? hs_store_search_count(store, conn, &page->total, all, need, pool)
                                 : count_chosen(store, conn, &page->total, all, need, pool);

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
    if (list->count == HS_COUNT_CAPPED || list->words || hs_store_list_has_filters(list)) {
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

/* Tickets that must be seen to know the page and whether there is another. */
static apr_int64_t need_of(const hs_list *list)
{
    apr_int64_t skip = list->has_skip ? list->skip : 0;
    apr_int64_t most = APR_INT64_MAX - HS_LIMIT_MAX - 1;

    return (skip < most ? skip : most) + list->limit + 1;
}

static hs_error *read_chosen(hs_store *store, hs_conn *conn, hs_rows **rows, int *has_more,
                             const hs_list *list, apr_pool_t *pool)
{
    hs_way way;
    hs_error *error = hs_store_choose(store, conn, &way, list, need_of(list), pool);

    if (!error) {
        error = read_by(store, conn, rows, list, &way, pool);
    }
    if (!error && way.has_stop && (*rows)->count <= list->limit) {
        way = hs_store_way_to_all(list);
        error = read_by(store, conn, rows, list, &way, pool);
    }
    *has_more = !error && (*rows)->count > list->limit;
    return error;
}

/* Whether one of the keys from `first` up to the last but `index` is that one's ticket: it was
 * changed while we walked, and walked again. */
static int is_again(const apr_array_header_t *keys, apr_int64_t first, apr_int64_t index)
{
    for (apr_int64_t i = first; i < index; i++) {
        if (APR_ARRAY_IDX(keys, i, hs_key).number == APR_ARRAY_IDX(keys, index, hs_key).number) {
            return 1;
        }
    }
    return 0;
}

/* The numbers of a page's tickets, and of the one behind it. */
static const char *page_of(const apr_array_header_t *keys, const hs_list *list, apr_pool_t *pool)
{
    apr_int64_t first = list->has_skip ? list->skip : 0;
    hs_buffer json;

    hs_buffer_init(&json, 2048, pool);
    for (apr_int64_t i = first; i < keys->nelts; i++) {
        if (!is_again(keys, first, i)) {
            hs_json_add_number(&json, APR_ARRAY_IDX(keys, i, hs_key).number);
        }
    }
    hs_json_end_numbers(&json);
    return json.data;
}

/* The page ends before the key behind it. */
static void set_end(hs_way *way, const apr_array_header_t *keys)
{
    const hs_key *behind = &APR_ARRAY_IDX(keys, keys->nelts - 1, hs_key);

    way->has_stop = 1;
    way->stop_us = behind->us;
    way->stop_number = behind->number;
}

/* Whether there is a next page, and where it begins, is known before the page is read: meanwhile a
 * ticket of it may cease to match, or be changed and stand behind all others. */
static hs_error *read_searched(hs_store *store, hs_conn *conn, hs_rows **rows, int *has_more,
                               const hs_list *list, apr_pool_t *pool)
{
    hs_list page = *list;
    hs_way way = {.source = HS_SOURCE_FOUND};
    apr_array_header_t *keys;
    hs_error *error = hs_store_search(store, conn, &keys, list, need_of(list), pool);

    if (error) {
        return error;
    }
    *has_more = keys->nelts == need_of(list);
    page.has_skip = 0;
    way.found = page_of(keys, list, pool);
    if (*has_more) {
        set_end(&way, keys);
    }
    error = read_by(store, conn, rows, &page, &way, pool);
    if (!error && *has_more && (*rows)->count == 0) {
        /* Without a ticket there is nothing that a cursor could be made of. */
        error = hs_error_make(pool, HS_DB_BUSY, "all tickets of a page ceased to match meanwhile");
    }
    return error;
}

static hs_error *read_page(hs_store *store, hs_conn *conn, void *baton, apr_pool_t *pool)
{
    request *self = baton;
    hs_page *page = self->page;
    const hs_list *list = self->list;
    hs_rows *rows = NULL;
    int has_more = 0;
    hs_error *error = list->words ? read_searched(store, conn, &rows, &has_more, list, pool)
                                  : read_chosen(store, conn, &rows, &has_more, list, pool);

    *page = (hs_page){.tickets = apr_array_make(pool, 100, sizeof(const hs_ticket *))};
    if (error) {
        return error;
    }
    for (int row = 0; row < rows->count && row < list->limit; row++) {
        APR_ARRAY_PUSH(page->tickets, const hs_ticket *) = hs_store_ticket(rows, row, pool);
    }
    page->has_more = has_more;
    return count_total(store, conn, page, list, pool);
}

hs_error *hs_store_list(hs_store *store, hs_page *page, const hs_list *list, apr_pool_t *pool)
{
    request self = {.page = page, .list = list};

    return hs_store_read(store, read_page, &self, pool);
}
