/* hs_store_list_int.h - layer 7: a list's statement while it grows; for two files only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_STORE_LIST_INT_H
#define HS_STORE_LIST_INT_H

#include "hs_buffer.h"
#include "hs_store_int.h"

/* An end of a range in one of the two orders: the place of a ticket, which is not in the range
 * itself. Filters know no number: 0 stands before, and is no ticket's. */
typedef struct hs_bound {
    int is_set;
    apr_int64_t us;
    apr_int64_t number;
} hs_bound;

typedef struct hs_span {
    hs_bound from;
    hs_bound to;
} hs_span;

/* A statement that grows, with the values of its parameters. */
typedef struct hs_listing {
    const hs_store *store;
    const hs_list *list;
    const hs_way *way;
    hs_sort axis;     /* the order of the index that the way takes */
    hs_span spans[2]; /* by hs_sort */
    hs_buffer text;
    apr_array_header_t *values;
    apr_pool_t *pool;
} hs_listing;

/* Begin with an empty text; a count has no cursor. */
void hs_listing_begin(hs_listing *self, int has_cursor, apr_pool_t *pool);

/* Add a fragment of sql/. */
void hs_listing_put(hs_listing *self, int fragment);

/* Add the value of the next parameter. */
void hs_listing_bind_text(hs_listing *self, const char *text);
void hs_listing_bind_number(hs_listing *self, apr_int64_t number);

/* Add WHERE and what the index is entered by; `status` < 0: any. */
void hs_listing_put_entry(hs_listing *self, int status);

/* Add all other conditions, which are tested row by row. */
void hs_listing_put_tests(hs_listing *self);

/* Whether the range in the order that the index does not have is limited. */
int hs_listing_has_other_span(const hs_listing *self);

#endif
