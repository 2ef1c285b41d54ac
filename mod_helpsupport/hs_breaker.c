/* hs_breaker.c - layer 1: how many mails a relay may get at once; none while it is in trouble. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_breaker.h"

#include <string.h>

#define OUTAGE_SHARE 10
#define CEILING_US apr_time_from_sec(5 * 60)

void hs_breaker_init(hs_breaker *breaker, int most)
{
    memset(breaker, 0, sizeof(*breaker));
    breaker->most = most;
    breaker->allowed = most;
    breaker->proven = most;
}

static int limit(const hs_breaker *breaker, apr_time_t now_us)
{
    return now_us < breaker->ceiling_until ? breaker->ceiling : breaker->most;
}

int hs_breaker_is_open(const hs_breaker *breaker, apr_time_t now_us)
{
    return breaker->allowed == 0 && now_us < breaker->open_until;
}

int hs_breaker_room(const hs_breaker *breaker, apr_time_t now_us)
{
    int allowed = breaker->allowed > 0 ? breaker->allowed : 1;

    if (hs_breaker_is_open(breaker, now_us)) {
        return 0;
    }
    return allowed > breaker->under_way ? allowed - breaker->under_way : 0;
}

int hs_breaker_is_well(const hs_breaker *breaker, apr_time_t now_us)
{
    return breaker->allowed >= limit(breaker, now_us) && !breaker->down_since;
}

unsigned hs_breaker_begin(hs_breaker *breaker)
{
    if (breaker->allowed == 0) {
        breaker->allowed = 1; /* the probe */
    }
    breaker->under_way++;
    return breaker->epoch;
}

static hs_breaker_change take_success(hs_breaker *breaker, apr_time_t now_us)
{
    int was_down = breaker->down_since != 0;

    breaker->down_since = 0;
    if (breaker->proven < breaker->allowed) {
        breaker->proven++;
    }
    if (breaker->proven == breaker->allowed && breaker->allowed < limit(breaker, now_us)) {
        breaker->allowed *= 2;
        if (breaker->allowed > limit(breaker, now_us)) {
            breaker->allowed = limit(breaker, now_us);
        }
        breaker->proven = 0;
    }
    return was_down ? HS_BREAKER_CLOSED : HS_BREAKER_AS_BEFORE;
}

static hs_breaker_change open_up(hs_breaker *breaker, apr_time_t now_us, apr_uint32_t random)
{
    int was_down = breaker->down_since != 0;
    apr_interval_time_t wait;

    if (breaker->proven < breaker->allowed && breaker->allowed > 1) {
        breaker->ceiling = breaker->allowed / 2;
        breaker->ceiling_until = now_us + CEILING_US;
    }
    if (!was_down) {
        breaker->down_since = now_us;
    }
    wait = (now_us - breaker->down_since) / OUTAGE_SHARE;
    if (wait < HS_BREAKER_SHORTEST_US) {
        wait = HS_BREAKER_SHORTEST_US;
    }
    if (wait > HS_BREAKER_LONGEST_US) {
        wait = HS_BREAKER_LONGEST_US;
    }
    breaker->open_until = now_us + (apr_interval_time_t)(random % (apr_uint64_t)wait) + 1;
    breaker->allowed = 0;
    breaker->proven = 0;
    breaker->under_way = 0;
    breaker->epoch++;
    return was_down ? HS_BREAKER_AS_BEFORE : HS_BREAKER_OPENED;
}

hs_breaker_change hs_breaker_end(hs_breaker *breaker, unsigned begun, int is_trouble,
                                 apr_time_t now_us, apr_uint32_t random)
{
    if (begun != breaker->epoch) {
        return HS_BREAKER_AS_BEFORE;
    }
    breaker->under_way--;
    return is_trouble ? open_up(breaker, now_us, random) : take_success(breaker, now_us);
}
