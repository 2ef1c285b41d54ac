/* hs_number_set.c - layer 1: a set of numbers that lie close together. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_number_set.h"

#include <string.h>

#define BITS 64

static apr_size_t length_of(const hs_number_set *set)
{
    return (apr_size_t)(set->to - set->from) / BITS + 1;
}

void hs_number_set_init(hs_number_set *set, apr_int64_t from, apr_int64_t to, apr_pool_t *pool)
{
    set->from = from;
    set->to = to;
    set->bits = apr_pcalloc(pool, length_of(set) * sizeof(*set->bits));
}

void hs_number_set_clear(hs_number_set *set)
{
    memset(set->bits, 0, length_of(set) * sizeof(*set->bits));
}

void hs_number_set_add(hs_number_set *set, apr_int64_t number, apr_int64_t more)
{
    apr_int64_t last = number > set->to - more ? set->to : number + more;
    apr_int64_t n = number < set->from ? set->from : number;

    while (n <= last) {
        apr_uint64_t at = (apr_uint64_t)(n - set->from);
        apr_uint64_t rest = (apr_uint64_t)(last - n) + 1;
        apr_uint64_t room = BITS - at % BITS;
        apr_uint64_t count = rest < room ? rest : room;

        set->bits[at / BITS] |= ~APR_UINT64_C(0) >> (BITS - count) << at % BITS;
        n += (apr_int64_t)count;
    }
}

void hs_number_set_remove(hs_number_set *set, apr_int64_t number)
{
    apr_uint64_t at = (apr_uint64_t)(number - set->from);

    if (number >= set->from && number <= set->to) {
        set->bits[at / BITS] &= ~(APR_UINT64_C(1) << at % BITS);
    }
}

void hs_number_set_meet(hs_number_set *set, const hs_number_set *other)
{
    for (apr_size_t i = 0; i < length_of(set); i++) {
        set->bits[i] &= other->bits[i];
    }
}

int hs_number_set_has(const hs_number_set *set, apr_int64_t number)
{
    apr_uint64_t at = (apr_uint64_t)(number - set->from);

    return number >= set->from && number <= set->to && (set->bits[at / BITS] >> at % BITS & 1) != 0;
}

apr_int64_t hs_number_set_count(const hs_number_set *set)
{
    apr_int64_t count = 0;

    for (apr_size_t i = 0; i < length_of(set); i++) {
        count += __builtin_popcountll(set->bits[i]);
    }
    return count;
}

apr_int64_t hs_number_set_below(const hs_number_set *set, apr_int64_t most)
{
    apr_uint64_t at;
    apr_uint64_t part;

    if (most < set->from) {
        return set->from - 1;
    }
    at = (apr_uint64_t)((most < set->to ? most : set->to) - set->from);
    part = set->bits[at / BITS] & ~APR_UINT64_C(0) >> (BITS - 1 - at % BITS);
    for (apr_size_t i = at / BITS; !part && i > 0;) {
        part = set->bits[--i];
        at = i * BITS;
    }
    if (!part) {
        return set->from - 1;
    }
    return set->from + (apr_int64_t)(at / BITS * BITS) + BITS - 1 - __builtin_clzll(part);
}

apr_int64_t hs_number_set_above(const hs_number_set *set, apr_int64_t least)
{
    apr_size_t length = length_of(set);
    apr_uint64_t at;
    apr_uint64_t part;

    if (least > set->to) {
        return set->to + 1;
    }
    at = (apr_uint64_t)((least > set->from ? least : set->from) - set->from);
    part = set->bits[at / BITS] & ~APR_UINT64_C(0) << at % BITS;
    for (apr_size_t i = at / BITS + 1; !part && i < length; i++) {
        part = set->bits[i];
        at = i * BITS;
    }
    if (!part) {
        return set->to + 1;
    }
    return set->from + (apr_int64_t)(at / BITS * BITS) + __builtin_ctzll(part);
}

int hs_number_order(const void *a, const void *b)
{
    apr_int64_t one = *(const apr_int64_t *)a;
    apr_int64_t other = *(const apr_int64_t *)b;

    return (one > other) - (one < other);
}
