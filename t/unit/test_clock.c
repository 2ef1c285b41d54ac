/* test_clock.c - a clock that nobody sets, for waits. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_clock.h"

#include "tap.h"

#include <errno.h>

int main(void)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond;
    apr_time_t start = hs_clock_now();
    apr_interval_time_t took;
    int rv;

    tap_ok(start > 0, "the time is 1 or more");
    apr_sleep(1000);
    tap_ok(hs_clock_now() - start >= 1000, "it goes on");
    tap_is_int(hs_clock_cond_init(&cond), 0, "a condition is made");
    pthread_mutex_lock(&mutex);
    start = hs_clock_now();
    do {
        rv = hs_clock_cond_wait(&cond, &mutex, start + 20000);
    } while (rv == 0);
    took = hs_clock_now() - start;
    tap_is_int(rv, ETIMEDOUT, "a wait ends");
    tap_ok(took >= 20000 && took < 5000000, "when it should");
    tap_is_int(hs_clock_cond_wait(&cond, &mutex, 1), ETIMEDOUT, "a time that is past ends it, too");
    pthread_mutex_unlock(&mutex);
    return tap_done();
}
