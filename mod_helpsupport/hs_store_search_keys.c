/* hs_store_search_keys.c - layer 8: the keys of tickets, as a search reads and sorts them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_store_search_int.h"

#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    const hs_key *one = a;
    const hs_key *other = b;

    if (one->us != other->us) {
        return one->us < other->us ? -1 : 1;
    }
    return (one->number > other->number) - (one->number < other->number);
}

static int descending(const void *a, const void *b)
{
    return ascending(b, a);
}

int hs_search_order(const hs_search *self, const hs_key *one, const hs_key *other)
{
    return self->list->descending ? descending(one, other) : ascending(one, other);
}

/* They mostly are in order already. */
void hs_search_sort(const hs_search *self, const apr_array_header_t *keys)
{
    const hs_key *all = (const hs_key *)(void *)keys->elts;

    for (int i = 1; i < keys->nelts; i++) {
        if (hs_search_order(self, &all[i - 1], &all[i]) > 0) {
            qsort(keys->elts, (size_t)keys->nelts, sizeof(hs_key),
                  self->list->descending ? descending : ascending);
            return;
        }
    }
}

hs_error *hs_search_keys(const hs_search *self, apr_array_header_t **keys, const hs_list *list,
                         const hs_way *way, apr_int64_t limit)
{
    const void **values;
    const char *sql;
    apr_array_header_t *numbers;
    apr_int64_t count;
    hs_rows *rows;
    hs_error *error;

    apr_pool_clear(self->scratch);
    sql = hs_store_compose_keys(self->store, &values, list, way, limit, self->scratch);
    error = hs_conn_select(self->conn, &rows, sql, values, self->scratch);
    if (error) {
        return error;
    }
    count = hs_rows_number(rows, 0, 0);
    numbers = apr_array_make(self->scratch, 2 * (int)count + 1, sizeof(apr_int64_t));
    error = hs_store_unpack_numbers(numbers, hs_rows_text(rows, 0, 1), 2 * count, self->pool);
    *keys = apr_array_make(self->scratch, (int)count + 1, sizeof(hs_key));
    for (int i = 0; !error && i < count; i++) {
        APR_ARRAY_PUSH(*keys, hs_key) =
            (hs_key){.number = APR_ARRAY_IDX(numbers, 2 * i, apr_int64_t),
                     .us = APR_ARRAY_IDX(numbers, 2 * i + 1, apr_int64_t)};
    }
    hs_search_sort(self, *keys);
    return error;
}
