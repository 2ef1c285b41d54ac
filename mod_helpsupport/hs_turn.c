/* hs_turn.c - layer 1: a mutex of several processes, waited for no longer than a caller may. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_turn.h"

#define FIRST_LOOK_US 100
#define LAST_LOOK_US 1000

/* File locks, which "Mutex file:… default" of Debian's httpd.conf leads to, have no timed wait: APR
 * looks every 10 ms then, in which the other processes have had ten turns. */
static int has_timed_wait(apr_global_mutex_t *mutex)
{
    apr_lockmech_e mechanism = apr_global_mutex_mech(mutex);

    return mechanism != APR_LOCK_FCNTL && mechanism != APR_LOCK_FLOCK;
}

apr_status_t hs_turn_take(apr_global_mutex_t *mutex, apr_interval_time_t longest_us)
{
    apr_time_t until = apr_time_now() + longest_us;
    apr_interval_time_t pause_us = FIRST_LOOK_US;
    apr_status_t status;

    if (has_timed_wait(mutex)) {
        return apr_global_mutex_timedlock(mutex, longest_us);
    }
    while ((status = apr_global_mutex_trylock(mutex)), APR_STATUS_IS_EBUSY(status)) {
        if (apr_time_now() >= until) {
            return APR_TIMEUP;
        }
        apr_sleep(pause_us);
        pause_us = pause_us * 2 < LAST_LOOK_US ? pause_us * 2 : LAST_LOOK_US;
    }
    return status;
}
