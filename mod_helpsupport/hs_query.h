/* hs_query.h - layer 4: the query of list and status, cursors, Link (contract 1.3, 1.4). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_QUERY_H
#define HS_QUERY_H

#include "hs_ticket.h"

#include <apr_tables.h>

#define HS_LIMIT_DEFAULT 100
#define HS_LIMIT_MAX 1000
#define HS_COUNT_CAP_MAX 1000000

typedef enum hs_sort { HS_SORT_CREATED = 0, HS_SORT_UPDATED } hs_sort;

typedef enum hs_count { HS_COUNT_NONE = 0, HS_COUNT_EXACT, HS_COUNT_CAPPED } hs_count;

/* A list request, checked. Strings are in the pool that it was read into. */
typedef struct hs_list {
    int has_skip;
    apr_int64_t skip;          /* 0 … 2^63-1 */
    int limit;                 /* 1 … HS_LIMIT_MAX */
    unsigned statuses;         /* bit 1 << hs_status; 0 means all (also when all four were named) */
    const char *user_id;       /* NULL: any */
    const char *email;         /* hs_email_fold form; NULL: any */
    apr_array_header_t *words; /* of const char *, at least one; NULL: no word search */
    int has_created_after, has_created_before, has_updated_after;
    apr_time_t created_after_us;  /* inclusive */
    apr_time_t created_before_us; /* exclusive */
    apr_time_t updated_after_us;  /* inclusive */
    hs_sort sort;
    int descending;
    int has_cursor;            /* start behind this ticket, in sort order */
    apr_time_t cursor_us;      /* its created_us or updated_us, as `sort` says */
    apr_int64_t cursor_number; /* its number */
    hs_count count;
    apr_int64_t count_cap; /* with HS_COUNT_CAPPED: 1 … HS_COUNT_CAP_MAX */
    /* Of hs_uri_pair: what a Link repeats as it was sent: not skip, after and what is empty. */
    apr_array_header_t *kept;
} hs_list;

/* Read the query string (may be NULL) of a list request into *list, everything in `pool`. Adds to
 * `problem` each parameter that is wrong (422). A query that can't be decoded returns HS_MALFORMED
 * (400). A user_id or email that no ticket can have is a bad value. Thread: any. */
hs_error *hs_query_list(hs_list *list, hs_problem *problem, const char *query,
                        apr_pool_t *pool) HS_MUSTCHECK;

/* Read `status` of a status change; as above. */
hs_error *hs_query_status(hs_status *status, hs_problem *problem, const char *query,
                          apr_pool_t *pool) HS_MUSTCHECK;

/* The Link value for a page of `list` at `path` (path-absolute, decoded), or NULL where there is
 * none. `last` is the page's last ticket where more tickets match, else NULL. In `pool`. */
const char *hs_query_links(const hs_list *list, const char *path, const hs_ticket *last,
                           apr_pool_t *pool);

#endif
