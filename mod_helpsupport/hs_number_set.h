/* hs_number_set.h - layer 1: a set of numbers that lie close together. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_NUMBER_SET_H
#define HS_NUMBER_SET_H

#include <apr_pools.h>

/* One bit for each number from `from` to `to`; others are never in it. One thread at a time. */
typedef struct hs_number_set {
    apr_int64_t from;
    apr_int64_t to;
    apr_uint64_t *bits;
} hs_number_set;

/* Make it empty, in `pool`; `to` >= `from`. */
void hs_number_set_init(hs_number_set *set, apr_int64_t from, apr_int64_t to, apr_pool_t *pool);

/* Make it empty again. */
void hs_number_set_clear(hs_number_set *set);

/* Add a number and `more` that follow it. */
void hs_number_set_add(hs_number_set *set, apr_int64_t number, apr_int64_t more);

/* Take a number away. */
void hs_number_set_remove(hs_number_set *set, apr_int64_t number);

/* Leave only what `other`, which has the same bounds, has too. */
void hs_number_set_meet(hs_number_set *set, const hs_number_set *other);

/* Whether it has a number. */
int hs_number_set_has(const hs_number_set *set, apr_int64_t number);

/* How many. */
apr_int64_t hs_number_set_count(const hs_number_set *set);

/* The greatest number in it that is at most `most`, or from - 1; the least that is at least
 * `least`, or to + 1. */
apr_int64_t hs_number_set_below(const hs_number_set *set, apr_int64_t most);
apr_int64_t hs_number_set_above(const hs_number_set *set, apr_int64_t least);

/* The order of two apr_int64_t, for qsort and bsearch. */
int hs_number_order(const void *a, const void *b);

#endif
