/* hs_store_search_keys.c - layer 8: the keys of tickets, as a search reads and sorts them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_store_search_int.h"

#include <apr_strings.h>

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

/* Keys as the database packs them: "number us" between commas. */
static void unpack(apr_array_header_t *keys, const char *text)
{
    while (text && *text) {
        hs_key *key = apr_array_push(keys);
        char *end;

        key->number = apr_strtoi64(text, &end, 10);
        key->us = apr_strtoi64(end, &end, 10);
        text = *end == ',' ? end + 1 : NULL;
    }
}

hs_error *hs_search_keys(const hs_search *self, apr_array_header_t **keys, const hs_list *list,
                         const hs_way *way, apr_int64_t limit)
{
    const void **values;
    const char *sql;
    hs_rows *rows;
    hs_error *error;

    apr_pool_clear(self->scratch);
    sql = hs_store_compose_keys(self->store, &values, list, way, limit, self->scratch);
    error = hs_conn_select(self->conn, &rows, sql, values, self->scratch);
    if (error) {
        return error;
    }
    *keys = apr_array_make(self->scratch, (int)hs_rows_number(rows, 0, 0) + 1, sizeof(hs_key));
    unpack(*keys, hs_rows_text(rows, 0, 1));
    if ((*keys)->nelts != hs_rows_number(rows, 0, 0)) {
        return hs_error_make(self->pool, HS_UNAVAILABLE, "the database cuts long values");
    }
    hs_search_sort(self, *keys);
    return NULL;
}
