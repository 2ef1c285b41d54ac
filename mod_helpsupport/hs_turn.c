/* hs_turn.c - layer 2: a mutex of several processes, waited for no longer than a caller may. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_turn.h"

#include "hs_clock.h"

#define FIRST_LOOK_US 100
#define LAST_LOOK_US 1000

/* File locks, which "Mutex file:… default" of Debian's httpd.conf leads to, have no timed wait: APR
 * looks every 10 ms then, in which the other processes have had ten turns. */
static int has_timed_wait(apr_global_mutex_t *mutex)
{
    apr_lockmech_e mechanism = apr_global_mutex_mech(mutex);

    return mechanism != APR_LOCK_FCNTL && mechanism != APR_LOCK_FLOCK;
}

/* APR's timed wait goes by a clock that can be set. Forwards, it ends too soon, and is begun again;
 * backwards, it lasts until the holder is done, each of whose steps is bounded. */
static apr_status_t wait_for_turn(apr_global_mutex_t *mutex, apr_time_t until)
{
    apr_interval_time_t left_us = until - hs_clock_now();
    apr_status_t status;

    do {
        status = apr_global_mutex_timedlock(mutex, left_us > 0 ? left_us : 0);
        left_us = until - hs_clock_now();
    } while (APR_STATUS_IS_TIMEUP(status) && left_us > 0);
    return status;
}

apr_status_t hs_turn_take(apr_global_mutex_t *mutex, apr_interval_time_t longest_us)
{
    apr_time_t until = hs_clock_now() + longest_us;
    apr_interval_time_t pause_us = FIRST_LOOK_US;
    apr_status_t status;

    if (has_timed_wait(mutex)) {
        return wait_for_turn(mutex, until);
    }
    while ((status = apr_global_mutex_trylock(mutex)), APR_STATUS_IS_EBUSY(status)) {
        if (hs_clock_now() >= until) {
            return APR_TIMEUP;
        }
        apr_sleep(pause_us);
        pause_us = pause_us * 2 < LAST_LOOK_US ? pause_us * 2 : LAST_LOOK_US;
    }
    return status;
}
