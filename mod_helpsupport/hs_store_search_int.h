/* hs_store_search_int.h - layer 7: a search while it runs; for three files only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_STORE_SEARCH_INT_H
#define HS_STORE_SEARCH_INT_H

#include "hs_buffer.h"
#include "hs_store_int.h"

/* Keys that an array has room for at first. */
#define HS_SEARCH_ROOM 256

typedef struct hs_search {
    hs_store *store;
    hs_conn *conn;
    const hs_list *list;
    apr_int64_t need; /* 0: all are counted, and their keys not kept */
    struct hs_found *found;

    apr_array_header_t *tested; /* of hs_key: which passed the tests */
    apr_int64_t tested_count;   /* how many they are */
    int are_waiting_tested;
    hs_buffer json; /* numbers to be tested */

    hs_list walk_list; /* the same without words, behind what was walked */
    hs_way way;
    int has_way;
    apr_array_header_t *walked; /* of hs_key: which have the words */
    apr_int64_t walked_count;

    apr_array_header_t *keys; /* one of the two, in the end */
    apr_int64_t count;
    apr_pool_t *pool;
    apr_pool_t *scratch; /* for the rows of one statement */
} hs_search;

/* Read the first keys of a list, in its order; they live until the next call. */
hs_error *hs_search_keys(const hs_search *self, apr_array_header_t **keys, const hs_list *list,
                         const hs_way *way, apr_int64_t limit) HS_MUSTCHECK;

/* Below 0 where the first comes first in the list. */
int hs_search_order(const hs_search *self, const hs_key *one, const hs_key *other);

/* Bring keys into the list's order. */
void hs_search_sort(const hs_search *self, const apr_array_header_t *keys);

/* Note that the search has come to its end, with so many tickets. */
void hs_search_finish(hs_search *self, apr_array_header_t *keys, apr_int64_t count);

/* Take the next numbers that have the words, at most `most`, and test their tickets; finish where
 * that is enough. */
hs_error *hs_search_test(hs_search *self, int most) HS_MUSTCHECK;

#endif
