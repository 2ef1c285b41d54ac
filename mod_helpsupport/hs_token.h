/* hs_token.h - layer 1: bearer tokens (contract 4): hst_ + 32 base62 + 6 of checksum. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_TOKEN_H
#define HS_TOKEN_H

#include <apr_pools.h>

#define HS_TOKEN_SIZE 43        /* 42 characters and the NUL */
#define HS_TOKEN_DIGEST_SIZE 65 /* SHA-256 in hex and the NUL */

/* Make a token from the system's random generator (rejection sampling, no modulo bias). Returns 1,
 * or 0 where the system gives no random octets. Thread: any. */
int hs_token_make(char out[HS_TOKEN_SIZE]);

/* Whether `text` has the form of a token and its checksum is right, so that garbage is refused
 * without the database. Thread: any. */
int hs_token_is_well_formed(const char *text);

/* The SHA-256 of a token in lower-case hex: what the database and the log know it by. `pool`
 * is for scratch, because APR's hash lives in one. Thread: any. */
void hs_token_digest(char out[HS_TOKEN_DIGEST_SIZE], const char *token, apr_pool_t *pool);

#endif
