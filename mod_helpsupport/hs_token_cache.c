/* hs_token_cache.c - layer 8: what this process learned of bearer tokens in the last seconds. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_token_cache.h"

#include <apr_strings.h>
#include <apr_thread_mutex.h>

#include <string.h>

#define PLACES 256 /* power of two; 40 KiB in each process, which a busy desk never fills */

typedef struct place {
    char digest[HS_TOKEN_DIGEST_SIZE];
    apr_time_t until_us;
    apr_time_t noted_us; /* when its use was last noted in the database, if it was known */
    hs_token_answer answer;
} place;

struct hs_token_cache {
    apr_thread_mutex_t *mutex;
    place places[PLACES];
};

hs_token_cache *hs_token_cache_create(apr_pool_t *pool)
{
    hs_token_cache *cache = apr_pcalloc(pool, sizeof(*cache));

    if (apr_thread_mutex_create(&cache->mutex, APR_THREAD_MUTEX_DEFAULT, pool) != APR_SUCCESS) {
        return NULL;
    }
    return cache;
}

/* The digest is uniform, so its first digits choose the place; nobody can aim at another's without
 * a SHA-256 preimage that the checksum also lets pass. */
static place *place_of(hs_token_cache *cache, const char *digest)
{
    unsigned index = 0;

    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)digest[i];

        index = index * 16 + (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return &cache->places[index % PLACES];
}

int hs_token_cache_get(hs_token_cache *cache, hs_token_answer *answer, const char *digest,
                       apr_time_t now_us)
{
    place *p = place_of(cache, digest);
    int found;

    apr_thread_mutex_lock(cache->mutex);
    /* the lower bound is for a clock that was set back: nothing may outlive its five seconds by
     * that */
    found = now_us < p->until_us && p->until_us <= now_us + HS_TOKEN_CACHE_US &&
            strcmp(p->digest, digest) == 0;
    if (found) {
        *answer = p->answer;
    }
    apr_thread_mutex_unlock(cache->mutex);
    return found;
}

void hs_token_cache_put(hs_token_cache *cache, hs_token_answer *answer, const char *digest,
                        const hs_admin_token *token, apr_time_t now_us)
{
    place *p = place_of(cache, digest);
    apr_time_t until_us = now_us + HS_TOKEN_CACHE_US;

    memset(answer, 0, sizeof(*answer));
    if (token) {
        answer->is_known = 1;
        answer->scopes = token->scopes;
        apr_cpystrn(answer->name, token->name, sizeof(answer->name));
        if (token->expires_us && token->expires_us < until_us) {
            until_us = token->expires_us;
        }
    }
    apr_thread_mutex_lock(cache->mutex);
    if (strcmp(p->digest, digest) != 0) {
        apr_cpystrn(p->digest, digest, sizeof(p->digest));
        p->noted_us = 0;
    }
    p->until_us = until_us;
    p->answer = *answer;
    apr_thread_mutex_unlock(cache->mutex);
}

int hs_token_cache_note_use(hs_token_cache *cache, const char *digest, apr_time_t now_us)
{
    place *p = place_of(cache, digest);
    int is_due;

    apr_thread_mutex_lock(cache->mutex);
    is_due = strcmp(p->digest, digest) == 0 &&
             (now_us - p->noted_us >= HS_TOKEN_USED_US || now_us < p->noted_us);
    if (is_due) {
        p->noted_us = now_us;
    }
    apr_thread_mutex_unlock(cache->mutex);
    return is_due;
}
