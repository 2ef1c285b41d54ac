/* hs_turn.h - layer 2: a mutex of several processes, waited for no longer than a caller may. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_TURN_H
#define HS_TURN_H

#include "hs_error.h"

#include <apr_global_mutex.h>
#include <apr_time.h>

/* Lock `mutex`, waiting at most `longest_us` (0: not at all). Returns APR_SUCCESS, APR_TIMEUP, or
 * what else is wrong with it. Thread: any, of any process that is attached to it. */
apr_status_t hs_turn_take(apr_global_mutex_t *mutex, apr_interval_time_t longest_us) HS_MUSTCHECK;

#endif
