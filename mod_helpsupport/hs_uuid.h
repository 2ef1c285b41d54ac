/* hs_uuid.h - layer 1: UUIDs (RFC 9562). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_UUID_H
#define HS_UUID_H

#include <apr_time.h>

#define HS_UUID_SIZE 37 /* 36 characters and the NUL */

/* Make a UUIDv7 of `now_us` (UTC microseconds), lower case; 74 random bits from the system's
 * generator. Returns 1, or 0 where the system gives no random octets. Thread: any. */
int hs_uuid_make(char out[HS_UUID_SIZE], apr_time_t now_us);

/* Read a UUID of any version in either case, hyphens required, and write it in lower case. Returns
 * 1, or 0 where `text` is anything else. Thread: any. */
int hs_uuid_parse(char out[HS_UUID_SIZE], const char *text);

#endif
