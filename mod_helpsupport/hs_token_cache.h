/* hs_token_cache.h - layer 8: what this process learned of bearer tokens in the last seconds. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_TOKEN_CACHE_H
#define HS_TOKEN_CACHE_H

#include "hs_store_token.h"

/* How long an answer counts, so how long a revoked token may go on working (contract 4). */
#define HS_TOKEN_CACHE_US apr_time_from_sec(5)
#define HS_TOKEN_NAME_MAX 64

/* Of one database: a token of one must not open another. Bounded: a fixed number of places, a
 * digest has just one, and whoever comes later takes it. Holds digests, never tokens. Thread: any.
 */
typedef struct hs_token_cache hs_token_cache;

typedef struct hs_token_answer {
    int is_known; /* 0: the database has no such usable token */
    unsigned scopes;
    char name[HS_TOKEN_NAME_MAX + 1];
} hs_token_answer;

/* Make an empty cache in `pool`. Returns NULL where no mutex can be made. */
hs_token_cache *hs_token_cache_create(apr_pool_t *pool);

/* What was put for `digest` (64 hex digits) within HS_TOKEN_CACHE_US before `now_us`, copied to
 * *answer: returns 1; else 0. */
int hs_token_cache_get(hs_token_cache *cache, hs_token_answer *answer, const char *digest,
                       apr_time_t now_us);

/* Remember `token`, or with NULL that there is none of `digest`, and copy that to *answer. A token
 * that expires sooner is remembered only until then. */
void hs_token_cache_put(hs_token_cache *cache, hs_token_answer *answer, const char *digest,
                        const hs_admin_token *token, apr_time_t now_us);

/* Whether the last use of `digest`, which is known, has not been noted by this process for
 * HS_TOKEN_USED_US; counts it as noted, so that of many requests one goes to the database. */
int hs_token_cache_note_use(hs_token_cache *cache, const char *digest, apr_time_t now_us);

#endif
