/* hs_limit.c - layer 1: how often each client may submit, counted in memory that all children
 * share. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_limit.h"

#include <apr_general.h>
#include <apr_shm.h>
#include <apr_siphash.h>

#include <stdatomic.h>
#include <string.h>

/* A slot is a 64-bit word: who (24 bits of the keyed hash) and when the client's bucket will be
 * empty, its theoretical arrival time, in milliseconds since EPOCH_MS (40 bits: good until 2054). A
 * client may be in any slot of its set. */
#define SETS 16384u
#define SLOTS_PER_SET 4
#define TIME_BITS 40
#define TIME_MASK ((UINT64_C(1) << TIME_BITS) - 1)
#define EPOCH_MS (INT64_C(1577836800) * 1000) /* 2020-01-01 */
#define MAX_REQUESTS 1000000
#define MAX_BURST_MS (INT64_C(10) * 366 * 86400 * 1000)

struct hs_limit {
    unsigned char seed[APR_SIPHASH_KSIZE]; /* random, so that nobody can aim at another's slot */
    atomic_flag has_refused;
    _Atomic apr_uint64_t slots[SETS][SLOTS_PER_SET];
};

static apr_interval_time_t unit_us(char unit)
{
    switch (unit) {
    case 's':
        return apr_time_from_sec(1);
    case 'm':
        return apr_time_from_sec(60);
    case 'h':
        return apr_time_from_sec(3600);
    case 'd':
        return apr_time_from_sec(86400);
    default:
        return 0;
    }
}

/* Read 1 … `max` at *text and step over it; 0 where there is no such number. */
static apr_int64_t parse_count(const char **text, apr_int64_t max)
{
    apr_int64_t n = 0;

    while (**text >= '0' && **text <= '9') {
        n = n * 10 + (**text - '0');
        if (n > max) {
            return 0;
        }
        (*text)++;
    }
    return n;
}

int hs_limit_parse(hs_rate *rate, const char *text)
{
    apr_int64_t requests = parse_count(&text, MAX_REQUESTS);
    apr_int64_t units;
    apr_interval_time_t period_us;

    if (!requests || *text++ != '/') {
        return 0;
    }
    units = *text >= '0' && *text <= '9' ? parse_count(&text, 366 * 86400) : 1;
    period_us = units * unit_us(*text);
    if (!period_us || text[1] || period_us > 366 * unit_us('d')) {
        return 0;
    }
    rate->requests = requests;
    rate->period_us = period_us;
    rate->burst = requests;
    return 1;
}

apr_status_t hs_limit_create(hs_limit **limit, apr_pool_t *pool)
{
    apr_shm_t *shm;
    apr_status_t rv = apr_shm_create(&shm, sizeof(hs_limit), NULL, pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    /* fresh anonymous memory is zero, which is "long idle" for every slot, and untouched pages cost
     * nothing */
    *limit = apr_shm_baseaddr_get(shm);
    return apr_generate_random_bytes((*limit)->seed, sizeof((*limit)->seed));
}

/* The slot that `who` has in `set`, else the one idle longest. */
static _Atomic apr_uint64_t *find_slot(_Atomic apr_uint64_t *set, apr_uint64_t who)
{
    _Atomic apr_uint64_t *oldest = &set[0];

    for (int i = 0; i < SLOTS_PER_SET; i++) {
        apr_uint64_t word = atomic_load_explicit(&set[i], memory_order_relaxed);

        if (word >> TIME_BITS == who) {
            return &set[i];
        }
        if ((word & TIME_MASK) < (*oldest & TIME_MASK)) {
            oldest = &set[i];
        }
    }
    return oldest;
}

/* Who is counted together: one address, or /64, in one place. */
typedef struct client_key {
    const void *place;
    unsigned char octets[8];
} client_key;

static apr_uint64_t hash_client(const hs_limit *limit, const void *place,
                                const apr_sockaddr_t *address)
{
    const unsigned char *octets = address->ipaddr_ptr;
    int is_ipv4 = address->family == APR_INET;
    client_key key;

    if (!is_ipv4 && IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)address->ipaddr_ptr)) {
        is_ipv4 = 1;
        octets += 12;
    }
    memset(&key, 0, sizeof(key));
    key.place = place;
    memcpy(key.octets, octets, is_ipv4 ? 4 : sizeof(key.octets));
    return apr_siphash24(&key, sizeof(key), limit->seed);
}

/* How long one request counts. Rounded, which matters above a hundred a second, where nobody needs
 * it exactly; the slots hold no more than 1000 a second. */
static apr_int64_t milliseconds_each(const hs_rate *rate)
{
    apr_int64_t period_ms = rate->period_us / 1000;
    apr_int64_t each_ms = (period_ms + rate->requests / 2) / rate->requests;

    return each_ms > 0 ? each_ms : 1;
}

apr_int64_t hs_limit_take(hs_limit *limit, const void *place, const apr_sockaddr_t *address,
                          const hs_rate *rate, apr_time_t now_us)
{
    apr_uint64_t hash = hash_client(limit, place, address);
    apr_uint64_t who = hash >> TIME_BITS;
    apr_int64_t now_ms = now_us / 1000 - EPOCH_MS;
    apr_int64_t each_ms = milliseconds_each(rate);
    apr_int64_t burst_ms = rate->burst * each_ms; /* so the burst is exact, whatever was rounded */
    _Atomic apr_uint64_t *slot = find_slot(limit->slots[hash % SETS], who);
    apr_uint64_t word = atomic_load(slot);
    apr_int64_t until_ms;

    if (burst_ms > MAX_BURST_MS) {
        burst_ms = MAX_BURST_MS; /* what a slot can hold: nobody will know */
    }
    do {
        until_ms = word >> TIME_BITS == who ? (apr_int64_t)(word & TIME_MASK) : 0;
        if (until_ms < now_ms) {
            until_ms = now_ms;
        }
        until_ms += each_ms;
        if (until_ms - now_ms > burst_ms) {
            return (until_ms - now_ms - burst_ms + 999) / 1000;
        }
    } while (!atomic_compare_exchange_weak(
        slot, &word, who << TIME_BITS | ((apr_uint64_t)until_ms & TIME_MASK)));
    return 0;
}

int hs_limit_first_refusal(hs_limit *limit)
{
    return !atomic_flag_test_and_set(&limit->has_refused);
}
