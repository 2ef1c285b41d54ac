/* test_store_token.c - admin tokens in the database. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_store_token.h"

#include "store_fixture.h"

static hs_error *create(fixture *f, const char *digest, const char *name, apr_time_t expires_us)
{
    hs_admin_token token = {
        .digest = digest, .name = name, .scopes = HS_SCOPE_READ, .expires_us = expires_us};

    return hs_store_token_create(f->store, &token, f->pool);
}

static hs_admin_token *find(fixture *f, const char *digest)
{
    hs_admin_token *token = NULL;
    hs_error *error = hs_store_token_find(f->store, &token, digest, f->pool);

    if (error && error->code != HS_NOT_FOUND) {
        (void)fixture_worked(error);
    }
    return token;
}

static hs_code code_of(const hs_error *error)
{
    return error ? error->code : (hs_code)0;
}

static void test_create(fixture *f)
{
    apr_time_t now = apr_time_now();
    const hs_admin_token *token;

    tap_ok(!find(f, "aa"), "no token at first");
    tap_ok(fixture_worked(create(f, "aa", "ci", 0)), "one is made");
    token = find(f, "aa");
    tap_is_str(token->name, "ci", "its name");
    tap_is_int(token->scopes, HS_SCOPE_READ, "its scopes");
    tap_ok(token->created_us >= now && token->expires_us == 0 && token->revoked_us == 0 &&
               token->last_used_us == 0,
           "its times");
    tap_is_int(code_of(create(f, "bb", "ci", 0)), HS_INVALID, "a name in use is refused");
    tap_ok(!find(f, "bb"), "and nothing is stored");
    tap_ok(fixture_worked(create(f, "cc", "old", now - 1)), "a token that has expired");
    tap_ok(!find(f, "cc"), "is not found");
    tap_ok(fixture_worked(create(f, "dd", "old", now + apr_time_from_sec(60))), "its name is free");
    tap_ok(find(f, "dd") != NULL, "one that expires later is found");
}

static void test_used(fixture *f)
{
    apr_time_t first;

    tap_ok(fixture_worked(hs_store_token_used(f->store, "aa", f->pool)), "it is used");
    first = find(f, "aa")->last_used_us;
    tap_ok(first > 0, "which is noted");
    tap_ok(fixture_worked(hs_store_token_used(f->store, "aa", f->pool)) &&
               find(f, "aa")->last_used_us == first,
           "once a minute");
    tap_ok(fixture_worked(hs_store_token_used(f->store, "nowhere", f->pool)),
           "an unknown one is nobody's trouble");
}

static void test_rotate(fixture *f)
{
    apr_time_t now = apr_time_now();
    const hs_admin_token *old;
    const hs_admin_token *fresh;

    tap_ok(fixture_worked(create(f, "e1", "app", now + apr_time_from_sec(1000))), "a token");
    tap_ok(fixture_worked(
               hs_store_token_rotate(f->store, "app", "e2", apr_time_from_sec(10), f->pool)),
           "is rotated");
    old = find(f, "e1");
    fresh = find(f, "e2");
    tap_ok(old && old->expires_us <= apr_time_now() + apr_time_from_sec(10), "the old one ends");
    tap_ok(fresh && fresh->scopes == HS_SCOPE_READ && strcmp(fresh->name, "app") == 0,
           "the new one");
    tap_ok(fresh &&
               llabs(fresh->expires_us - fresh->created_us - apr_time_from_sec(1000)) < 1000000,
           "lives as long as the old one was to");
    tap_ok(fixture_worked(hs_store_token_rotate(f->store, "app", "e3", 0, f->pool)),
           "without grace");
    tap_ok(!find(f, "e1") && !find(f, "e2") && find(f, "e3"), "only the newest is left");
    tap_is_int(code_of(hs_store_token_rotate(f->store, "nobody", "e4", 0, f->pool)), HS_NOT_FOUND,
               "no such name");
    tap_ok(fixture_worked(hs_store_token_rotate(f->store, "ci", "e5", 0, f->pool)) &&
               find(f, "e5")->expires_us == 0,
           "what never ends, never ends");
}

static void test_revoke(fixture *f)
{
    apr_array_header_t *tokens = NULL;
    int revoked = 0;

    (void)!hs_store_token_rotate(f->store, "app", "f1", apr_time_from_sec(10), f->pool);
    tap_ok(find(f, "e3") && find(f, "f1"), "two tokens of one name");
    tap_ok(fixture_worked(hs_store_token_revoke(f->store, "app", f->pool)), "are revoked");
    tap_ok(!find(f, "e3") && !find(f, "f1"), "both");
    tap_is_int(code_of(hs_store_token_revoke(f->store, "app", f->pool)), HS_NOT_FOUND,
               "once is enough");
    tap_ok(fixture_worked(hs_store_token_list(f->store, &tokens, f->pool)), "the list");
    tap_is_int(tokens->nelts, 8, "has all of them");
    for (int i = 0; i < tokens->nelts; i++) {
        const hs_admin_token *token = APR_ARRAY_IDX(tokens, i, const hs_admin_token *);

        revoked += token->revoked_us > 0;
        if (i > 0) {
            tap_ok(strcmp(APR_ARRAY_IDX(tokens, i - 1, const hs_admin_token *)->name,
                          token->name) <= 0,
                   "by name: %s", token->name);
        }
    }
    tap_is_int(revoked, 2, "two of them revoked");
}

int main(void)
{
    apr_pool_t *pool;
    fixture f;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    fixture_open(&f, pool);
    test_create(&f);
    test_used(&f);
    test_rotate(&f);
    test_revoke(&f);
    fixture_close(&f);
    return tap_done();
}
