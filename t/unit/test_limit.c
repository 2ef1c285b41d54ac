/* test_limit.c - rates as directives write them, and the shared table of clients. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_limit.h"

#include "tap.h"

#include <apr_general.h>

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW_US (APR_USEC_PER_SEC * 1764000000)

static const char place[] = "/help-support";
static const apr_sockaddr_t *jane;
static const apr_sockaddr_t *joe;

static const apr_sockaddr_t *address(const char *text, apr_pool_t *pool)
{
    apr_sockaddr_t *made = NULL;

    tap_ok(apr_sockaddr_info_get(&made, text, APR_UNSPEC, 0, 0, pool) == APR_SUCCESS, "%s is read",
           text);
    return made;
}

static void test_parse(void)
{
    static const struct {
        const char *text;
        apr_int64_t requests;
        apr_int64_t period_s;
    } good[] = {{"600/h", 600, 3600}, {"5/5m", 5, 300}, {"1/s", 1, 1}, {"50/d", 50, 86400}};
    static const char *const bad[] = {"",          "600",    "/h",   "0/h",  "600/",
                                      "600/w",     "600/0m", "-1/h", "6 /h", "6/h ",
                                      "1000001/h", "1/367d", "1/hh"};
    hs_rate rate;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        tap_ok(hs_limit_parse(&rate, good[i].text), "%s is a rate", good[i].text);
        tap_is_int(rate.requests, good[i].requests, "its requests");
        tap_is_int(rate.period_us, good[i].period_s * APR_USEC_PER_SEC, "its period");
        tap_is_int(rate.burst, good[i].requests, "its burst");
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        tap_ok(!hs_limit_parse(&rate, bad[i]), "'%s' is none", bad[i]);
    }
}

/* How many of `tries` requests at `now_us` may go on. */
static int passing(hs_limit *limit, const apr_sockaddr_t *key, const hs_rate *rate,
                   apr_time_t now_us, int tries)
{
    int passed = 0;

    for (int i = 0; i < tries; i++) {
        passed += hs_limit_take(limit, place, key, rate, now_us) == 0;
    }
    return passed;
}

static void test_burst(apr_pool_t *pool)
{
    hs_rate rate = {60, APR_USEC_PER_SEC * 60, 10};
    hs_limit *limit;

    tap_ok(hs_limit_create(&limit, pool) == APR_SUCCESS, "a table is made");
    tap_is_int(passing(limit, jane, &rate, NOW_US, 100), 10, "the burst passes, no more");
    tap_is_int(hs_limit_take(limit, place, jane, &rate, NOW_US), 1, "one may pass in a second");
    tap_is_int(passing(limit, joe, &rate, NOW_US, 1), 1, "another client isn't concerned");
    tap_is_int(passing(limit, jane, &rate, NOW_US + 3 * APR_USEC_PER_SEC, 100), 3,
               "three more after three seconds");
    tap_is_int(passing(limit, jane, &rate, NOW_US + 3600 * APR_USEC_PER_SEC, 100), 10,
               "the whole burst after an hour");
    tap_is_int(passing(limit, jane, &rate, NOW_US, 1), 0, "a clock set back lets nobody in early");
}

static void test_slow_rate(apr_pool_t *pool)
{
    hs_rate rate = {1, APR_USEC_PER_SEC * 3600, 1};
    hs_limit *limit;

    tap_ok(hs_limit_create(&limit, pool) == APR_SUCCESS, "a table is made");
    tap_is_int(passing(limit, jane, &rate, NOW_US, 5), 1, "one an hour");
    tap_is_int(hs_limit_take(limit, place, jane, &rate, NOW_US), 3600, "again in an hour");
    tap_is_int(hs_limit_take(limit, place, jane, &rate, NOW_US + 1800 * APR_USEC_PER_SEC), 1800,
               "in half an hour");
}

/* A slot counts milliseconds, of which such a request takes a part only. */
static void test_fast_rates(apr_pool_t *pool)
{
    const hs_rate odd = {600, APR_USEC_PER_SEC, 100};
    const hs_rate fast = {10000, APR_USEC_PER_SEC, 10000};
    hs_limit *limit;

    tap_ok(hs_limit_create(&limit, pool) == APR_SUCCESS, "a table is made");
    tap_is_int(passing(limit, jane, &odd, NOW_US, 200), 100, "the burst of 600 a second");
    tap_is_int(passing(limit, joe, &fast, NOW_US, 20000), 10000, "the burst of 10000 a second");
}

/* One household or attacker has a whole IPv6 /64; the two forms of an IPv4 address are one client.
 */
static void test_addresses(apr_pool_t *pool)
{
    hs_rate rate = {1, APR_USEC_PER_SEC * 3600, 1};
    const apr_sockaddr_t *six = address("2001:db8:0:1::1", pool);
    const apr_sockaddr_t *same_net = address("2001:db8:0:1:ffff::2", pool);
    const apr_sockaddr_t *other_net = address("2001:db8:0:2::1", pool);
    const apr_sockaddr_t *mapped = address("::ffff:192.0.2.1", pool);
    hs_limit *limit;

    tap_ok(hs_limit_create(&limit, pool) == APR_SUCCESS, "a table is made");
    tap_is_int(passing(limit, six, &rate, NOW_US, 2), 1, "an IPv6 client");
    tap_is_int(passing(limit, same_net, &rate, NOW_US, 1), 0, "its /64 is the same client");
    tap_is_int(passing(limit, other_net, &rate, NOW_US, 1), 1, "another /64 isn't");
    tap_is_int(passing(limit, jane, &rate, NOW_US, 1), 1, "an IPv4 client");
    tap_is_int(passing(limit, mapped, &rate, NOW_US, 1), 0, "is the same when mapped to IPv6");
    tap_is_int(hs_limit_take(limit, "elsewhere", jane, &rate, NOW_US), 0,
               "each place counts by itself");
}

/* The product of the largest burst and period, in microseconds, does not fit 64 bits. */
static void test_extremes(apr_pool_t *pool)
{
    const hs_rate wide = {1, APR_USEC_PER_SEC * 366 * 86400, 1000000};
    const hs_rate fast = {1000000, APR_USEC_PER_SEC, 1000000};
    hs_limit *limit;

    tap_ok(hs_limit_create(&limit, pool) == APR_SUCCESS, "a table is made");
    tap_is_int(passing(limit, jane, &wide, NOW_US, 5), 5, "a burst of a million years");
    tap_is_int(passing(limit, joe, &fast, NOW_US, 500), 500, "a million a second");
}

/* Children count in the same table, also at the same time. */
static void test_processes(apr_pool_t *pool)
{
    enum { CHILDREN = 4 };
    hs_rate rate = {1000, APR_USEC_PER_SEC * 3600, 1000};
    hs_limit *limit;
    pid_t pids[CHILDREN];
    int passed = 0;

    tap_ok(hs_limit_create(&limit, pool) == APR_SUCCESS, "a table is made");
    for (int i = 0; i < CHILDREN; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            _exit(passing(limit, jane, &rate, NOW_US, 500) / 10);
        }
    }
    for (int i = 0; i < CHILDREN; i++) {
        int status = 0;

        waitpid(pids[i], &status, 0);
        passed += WEXITSTATUS(status) * 10;
    }
    /* each child's count was rounded down to fit an exit status */
    tap_ok(passed > 1000 - 10 * CHILDREN && passed <= 1000, "four processes share 1000: %d",
           passed);
    tap_is_int(passing(limit, jane, &rate, NOW_US, 1), 0, "and none is left");
    tap_ok(hs_limit_first_refusal(limit), "the first refusal is told");
    tap_ok(!hs_limit_first_refusal(limit), "the second isn't");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    jane = address("192.0.2.1", pool);
    joe = address("192.0.2.2", pool);
    test_parse();
    test_burst(pool);
    test_slow_rate(pool);
    test_fast_rates(pool);
    test_addresses(pool);
    test_extremes(pool);
    test_processes(pool);
    return tap_done();
}
