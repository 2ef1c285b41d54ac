/* hs_time.h - layer 1: UTC microseconds <-> RFC 3339 text. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_TIME_H
#define HS_TIME_H

#include <apr_time.h>

#define HS_TIME_SIZE 21 /* "2025-07-04T12:00:00Z" and its NUL */

/* Write `us` (UTC microseconds, year 0 to 9999) in whole seconds, rounded down, with Z. Does not
 * use the C library's time zone. Thread: any. */
void hs_time_format(char out[HS_TIME_SIZE], apr_time_t us);

/* Read an RFC 3339 date-time with any offset; a fraction is kept to the microsecond, further digits
 * are cut; a leap second counts as the second before. Returns 1 and sets *us, or 0 where `text` is
 * anything else (also trailing octets, day 31 of a short month). Thread: any. */
int hs_time_parse(apr_time_t *us, const char *text);

#endif
