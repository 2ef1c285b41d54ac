/* hs_limit.h - layer 1: how often each client may submit, counted in memory that all children
 * share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_LIMIT_H
#define HS_LIMIT_H

#include <apr_network_io.h>
#include <apr_pools.h>
#include <apr_time.h>

/* "600/h 100": `requests` in each `period_us`, `burst` of them at once; requests 0 means no limit.
 */
typedef struct hs_rate {
    apr_int64_t requests;
    apr_interval_time_t period_us;
    apr_int64_t burst;
} hs_rate;

/* The table; each client is one 64-bit word, so that no lock is needed. */
typedef struct hs_limit hs_limit;

/* Read "requests/period", the period being s, m, h, d or a number with one of these ("5/5m"), at
 * most 1,000,000 requests and 366 days. Sets burst to requests. Returns 1, or 0 where `text` is
 * anything else. */
int hs_limit_parse(hs_rate *rate, const char *text);

/* Make the table in anonymous shared memory of 512 KiB, inherited by children; single thread,
 * before fork. */
apr_status_t hs_limit_create(hs_limit **limit, apr_pool_t *pool);

/* Count a request of the client at `address` (IPv6: of its /64, which one household or attacker has
 * whole) in `place`, any pointer that is the same in all processes and another where another rate
 * holds, under `rate` (generic cell rate algorithm). Returns 0 where it may go on, else the
 * seconds, 1 and up, until it may come again; such a request isn't counted. With over 65,536 busy
 * clients the one idle longest is forgotten. Thread: any, of any process. */
apr_int64_t hs_limit_take(hs_limit *limit, const void *place, const apr_sockaddr_t *address,
                          const hs_rate *rate, apr_time_t now_us);

/* Whether no refusal was logged since the table was made; says so once, to one caller: one line
 * tells the administrator of a proxy whose address all clients share, a thousand would fill the
 * disk. Thread: any. */
int hs_limit_first_refusal(hs_limit *limit);

#endif
