/* hs_store_found.h - layer 7: the tickets that have all words of a search, as the index tells. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_STORE_FOUND_H
#define HS_STORE_FOUND_H

#include "hs_store_int.h"

/* What is searched for. */
typedef struct hs_found_query {
    const apr_array_header_t *words;
    int descending;      /* numbers are taken from the highest, else from the lowest */
    int has_range;       /* only tickets that were created … */
    apr_int64_t from_us; /* … then or later, … */
    apr_int64_t to_us;   /* … then or before */
} hs_found_query;

/* The index is read piece by piece, from the end where numbers are taken; what was read is
 * "loaded". Everything is in the pool of hs_found_open, which also counts as each call's. One
 * thread. Errors are those of statements; HS_DB_BUSY where segments were merged meanwhile: begin
 * anew. */
typedef struct hs_found hs_found;

/* Look which tickets that wait for the index have the words, and what the index has. */
hs_error *hs_found_open(hs_found **found, hs_store *store, hs_conn *conn,
                        const hs_found_query *query, apr_pool_t *pool) HS_MUSTCHECK;

/* Numbers of the tickets that wait, an array of apr_int64_t. The range is not tested. */
const apr_array_header_t *hs_found_waiting(const hs_found *found);

/* Load more: some four times as much as the last time; all that is beyond `number`, that number
 * included; all there is. */
hs_error *hs_found_load_more(hs_found *found) HS_MUSTCHECK;
hs_error *hs_found_load_to(hs_found *found, apr_int64_t number) HS_MUSTCHECK;
hs_error *hs_found_load_all(hs_found *found) HS_MUSTCHECK;

/* Whether all is loaded. */
int hs_found_is_whole(const hs_found *found);

/* Whether a ticket, which waits or is loaded, has the words. */
int hs_found_has(const hs_found *found, apr_int64_t number);

/* How many tickets do, of those that wait or are loaded. */
apr_int64_t hs_found_count(const hs_found *found);

/* Add the next numbers, at most `most`, of tickets that do not wait; none of them was added before.
 * More than those that were created in the range may come, but not fewer. Returns how many: fewer
 * than `most` where more must be loaded, or all were added. */
int hs_found_take(hs_found *found, apr_array_header_t *numbers, int most);

/* By how much a ticket that is in the index may have been created earlier than one of a lower
 * number. */
apr_int64_t hs_found_disorder_us(const hs_found *found);

#endif
