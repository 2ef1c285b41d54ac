/* hs_clock.h - layer 1: a clock that nobody sets, for waits. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_CLOCK_H
#define HS_CLOCK_H

#include <apr_time.h>

#include <pthread.h>

/* Microseconds since some moment before the start of this process, 1 and up: a machine's time may
 * jump by an hour, and no wait shall. Thread: any. */
apr_time_t hs_clock_now(void);

/* Make a condition whose timed waits go by this clock. Returns errno's value, 0 for success. */
int hs_clock_cond_init(pthread_cond_t *cond);

/* Wait for `cond`, which hs_clock_cond_init made, until `until` at the latest. Returns 0 when woken
 * (perhaps for nothing), else ETIMEDOUT. */
int hs_clock_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, apr_time_t until);

#endif
