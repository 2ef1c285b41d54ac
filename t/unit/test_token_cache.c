/* test_token_cache.c - what a process remembers of tokens, and for how long. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_token_cache.h"

#include "tap.h"

#include <apr_general.h>

#define NOW_US (APR_USEC_PER_SEC * 1764000000)

static const char one[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
/* the same first digits, so the same place */
static const char other[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdee";

static void test_life(apr_pool_t *pool)
{
    hs_token_cache *cache = hs_token_cache_create(pool);
    hs_admin_token token = {.digest = one, .name = "ci", .scopes = HS_SCOPE_READ};
    hs_token_answer answer = {0};

    tap_ok(!hs_token_cache_get(cache, &answer, one, NOW_US), "nothing is known at first");
    hs_token_cache_put(cache, &answer, one, &token, NOW_US);
    tap_ok(answer.is_known && answer.scopes == HS_SCOPE_READ, "putting tells");
    memset(&answer, 0, sizeof(answer));
    tap_ok(hs_token_cache_get(cache, &answer, one, NOW_US + HS_TOKEN_CACHE_US - 1), "known 5 s");
    tap_ok(answer.is_known && answer.scopes == HS_SCOPE_READ, "what it may do");
    tap_is_str(answer.name, "ci", "its name");
    tap_ok(!hs_token_cache_get(cache, &answer, one, NOW_US + HS_TOKEN_CACHE_US), "not longer");
    tap_ok(!hs_token_cache_get(cache, &answer, one, NOW_US - 1), "nor after a clock was set back");
}

static void test_unknown(apr_pool_t *pool)
{
    hs_token_cache *cache = hs_token_cache_create(pool);
    hs_token_answer answer = {.is_known = 1};

    hs_token_cache_put(cache, &answer, one, NULL, NOW_US);
    tap_ok(!answer.is_known, "putting nothing tells");
    answer.is_known = 1;
    tap_ok(hs_token_cache_get(cache, &answer, one, NOW_US), "that there is none is known too");
    tap_ok(!answer.is_known, "and told");
}

static void test_expiry(apr_pool_t *pool)
{
    hs_token_cache *cache = hs_token_cache_create(pool);
    hs_admin_token token = {
        .digest = one, .name = "ci", .scopes = HS_SCOPE_WRITE, .expires_us = NOW_US + 1000};
    hs_token_answer answer;

    hs_token_cache_put(cache, &answer, one, &token, NOW_US);
    tap_ok(hs_token_cache_get(cache, &answer, one, NOW_US + 999), "known until it expires");
    tap_ok(!hs_token_cache_get(cache, &answer, one, NOW_US + 1000), "not longer");
}

static void test_place(apr_pool_t *pool)
{
    hs_token_cache *cache = hs_token_cache_create(pool);
    hs_admin_token token = {.digest = one, .name = "ci", .scopes = HS_SCOPE_READ};
    hs_token_answer answer;

    hs_token_cache_put(cache, &answer, one, &token, NOW_US);
    tap_ok(!hs_token_cache_get(cache, &answer, other, NOW_US), "another token isn't this one");
    hs_token_cache_put(cache, &answer, other, NULL, NOW_US);
    tap_ok(!hs_token_cache_get(cache, &answer, one, NOW_US), "whoever comes later takes the place");
}

static void test_use(apr_pool_t *pool)
{
    hs_token_cache *cache = hs_token_cache_create(pool);
    hs_admin_token token = {.digest = one, .name = "ci", .scopes = HS_SCOPE_READ};
    hs_token_answer answer;

    hs_token_cache_put(cache, &answer, one, &token, NOW_US);
    tap_ok(hs_token_cache_note_use(cache, one, NOW_US), "the first use is to be noted");
    hs_token_cache_put(cache, &answer, one, &token, NOW_US + HS_TOKEN_CACHE_US);
    tap_ok(!hs_token_cache_note_use(cache, one, NOW_US + HS_TOKEN_USED_US - 1), "the next isn't");
    tap_ok(hs_token_cache_note_use(cache, one, NOW_US + HS_TOKEN_USED_US), "until a minute later");
    tap_ok(!hs_token_cache_note_use(cache, other, NOW_US), "nor is that of a token not known");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_life(pool);
    test_unknown(pool);
    test_expiry(pool);
    test_place(pool);
    test_use(pool);
    return tap_done();
}
