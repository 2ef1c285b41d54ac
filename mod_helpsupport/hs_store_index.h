/* hs_store_index.h - layer 7: moves the words of new tickets into the index that q asks. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_STORE_INDEX_H
#define HS_STORE_INDEX_H

#include "hs_error.h"

typedef struct hs_store hs_store; /* hs_store.h */

/* Tickets that are moved at once, at most: they are held in memory. */
#define HS_STORE_INDEX_MAX 4096

/* Move the words of tickets that wait into a new segment, together with small segments that it is
 * merged with, in one transaction; *moved: how many tickets, 0 where none were worth it or another
 * node was quicker. A search sees each ticket before, meanwhile and after. HS_UNAVAILABLE;
 * HS_OUTCOME_UNKNOWN, after which calling it again does no harm. Thread: any, but it may take a
 * second or two. */
hs_error *hs_store_index(hs_store *store, int *moved, apr_pool_t *pool) HS_MUSTCHECK;

#endif
