/* test_breaker.c - how many mails a relay may get at once. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_breaker.h"

#include "tap.h"

#define SECOND apr_time_from_sec(1)

static apr_time_t now = 1000 * SECOND;

static hs_breaker_change send_one(hs_breaker *b, int is_trouble)
{
    return hs_breaker_end(b, hs_breaker_begin(b), is_trouble, now, 0);
}

static void test_well(void)
{
    hs_breaker b;
    unsigned begun[4];

    hs_breaker_init(&b, 4);
    tap_is_int(hs_breaker_room(&b, now), 4, "all may begin at first");
    for (int i = 0; i < 4; i++) {
        begun[i] = hs_breaker_begin(&b);
    }
    tap_is_int(hs_breaker_room(&b, now), 0, "and no more");
    tap_ok(hs_breaker_is_well(&b, now) && !hs_breaker_is_open(&b, now), "busy is well");
    for (int i = 0; i < 4; i++) {
        (void)hs_breaker_end(&b, begun[i], 0, now, 0);
    }
    tap_is_int(hs_breaker_room(&b, now), 4, "success makes room");
}

static void test_slow_start(void)
{
    static const int rooms[] = {2, 2, 4, 4, 4, 4, 8, 8, 8, 8, 8, 8, 8, 8, 10};
    hs_breaker b;
    int right = 1;

    hs_breaker_init(&b, 10);
    tap_ok(send_one(&b, 1) == HS_BREAKER_OPENED, "trouble opens");
    tap_ok(hs_breaker_is_open(&b, now) && hs_breaker_room(&b, now) == 0, "nothing may begin");
    now += 5 * SECOND;
    tap_is_int(hs_breaker_room(&b, now), 1, "then one");
    tap_ok(!hs_breaker_is_well(&b, now), "that is not well yet");
    tap_ok(send_one(&b, 0) == HS_BREAKER_CLOSED, "which closes it");
    for (apr_size_t i = 0; i < sizeof(rooms) / sizeof(*rooms); i++) {
        right &= hs_breaker_room(&b, now) == rooms[i];
        (void)send_one(&b, 0);
    }
    tap_ok(right, "1, 2, 4, 8, all");
    tap_ok(hs_breaker_is_well(&b, now), "well again");
}

static void test_probe(void)
{
    hs_breaker b;
    unsigned probe;

    hs_breaker_init(&b, 4);
    (void)send_one(&b, 1);
    now += 5 * SECOND;
    probe = hs_breaker_begin(&b);
    tap_is_int(hs_breaker_room(&b, now), 0, "one probe at a time");
    tap_ok(hs_breaker_end(&b, probe, 1, now, 0) == HS_BREAKER_AS_BEFORE,
           "a failed probe is no news");
    tap_ok(hs_breaker_is_open(&b, now), "and opens again");
}

/* The longest wait, after an outage of so many seconds. */
static apr_interval_time_t longest_wait(int outage_s)
{
    apr_interval_time_t longest = 0;

    for (apr_uint32_t dice = 0; dice < 4000000000u; dice += 3999971u) {
        hs_breaker b;

        hs_breaker_init(&b, 4);
        (void)send_one(&b, 1);
        b.open_until = now;
        (void)hs_breaker_end(&b, hs_breaker_begin(&b), 1, now + outage_s * SECOND, dice);
        if (b.open_until - (now + outage_s * SECOND) > longest) {
            longest = b.open_until - (now + outage_s * SECOND);
        }
    }
    return longest;
}

static void test_waits(void)
{
    apr_interval_time_t at_once = longest_wait(0);
    apr_interval_time_t short_one = longest_wait(120);
    apr_interval_time_t long_one = longest_wait(24 * 3600);

    tap_ok(at_once > 4 * SECOND && at_once <= 5 * SECOND, "5 s at first");
    tap_ok(short_one > 10 * SECOND && short_one <= 12 * SECOND, "12 s after two minutes");
    tap_ok(long_one > 290 * SECOND && long_one <= 300 * SECOND, "5 minutes after a day");
}

static void test_stragglers(void)
{
    hs_breaker b;
    unsigned first;
    unsigned second;
    apr_time_t until;

    hs_breaker_init(&b, 4);
    first = hs_breaker_begin(&b);
    second = hs_breaker_begin(&b);
    (void)hs_breaker_end(&b, first, 1, now, 12345);
    until = b.open_until;
    (void)hs_breaker_end(&b, second, 1, now + SECOND, 999999);
    tap_is_int(b.open_until, until, "one outage is counted once");
    now += 5 * SECOND;
    tap_is_int(hs_breaker_room(&b, now), 1, "what hangs from before doesn't keep the probe away");
    (void)hs_breaker_begin(&b);
    (void)hs_breaker_end(&b, first, 0, now, 0);
    tap_is_int(hs_breaker_room(&b, now), 0, "nor does its late end count");
}

static void test_ceiling(void)
{
    hs_breaker b;
    unsigned begun[4];

    hs_breaker_init(&b, 4);
    (void)send_one(&b, 1);
    now += 5 * SECOND;
    (void)send_one(&b, 0);
    (void)send_one(&b, 0);
    (void)send_one(&b, 0);
    for (int i = 0; i < 4; i++) {
        begun[i] = hs_breaker_begin(&b);
    }
    (void)hs_breaker_end(&b, begun[3], 1, now, 0); /* it allows two connections, say */
    now += 5 * SECOND;
    for (int i = 0; i < 20; i++) {
        (void)send_one(&b, 0);
    }
    tap_is_int(hs_breaker_room(&b, now), 2, "what was too many isn't tried again");
    tap_ok(hs_breaker_is_well(&b, now), "that is as well as it gets");
    now += 300 * SECOND;
    (void)send_one(&b, 0);
    tap_is_int(hs_breaker_room(&b, now), 4, "for 5 minutes");
}

int main(void)
{
    test_well();
    test_slow_start();
    test_probe();
    test_waits();
    test_stragglers();
    test_ceiling();
    return tap_done();
}
