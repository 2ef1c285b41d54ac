/* hs_clock.c - layer 1: a clock that nobody sets, for waits. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_clock.h"

#include <time.h>

apr_time_t hs_clock_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return apr_time_from_sec((apr_time_t)now.tv_sec) + now.tv_nsec / 1000 + 1;
}

int hs_clock_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;
    int rv = pthread_condattr_init(&attributes);

    if (rv) {
        return rv;
    }
    rv = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (!rv) {
        rv = pthread_cond_init(cond, &attributes);
    }
    pthread_condattr_destroy(&attributes);
    return rv;
}

int hs_clock_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, apr_time_t until)
{
    struct timespec at = {.tv_sec = (time_t)apr_time_sec(until),
                          .tv_nsec = (long)apr_time_usec(until) * 1000};

    return pthread_cond_timedwait(cond, mutex, &at);
}
