/* test_token.c - the form of bearer tokens, their checksum and digest. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_token.h"

#include "tap.h"

#include <apr_general.h>

static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* Checksums computed with zlib's crc32. */
static void test_known(void)
{
    tap_ok(hs_token_is_well_formed("hst_000000000000000000000000000000002wjyrI"), "all zeros");
    tap_ok(hs_token_is_well_formed("hst_0123456789ABCDEFGHIJKLMNOPQRSTUV1ggZdL"),
           "digits, capitals");
    tap_ok(hs_token_is_well_formed("hst_WNapJRWhMmXK07SjSMJYPLokhaV7fwOO00VUzy"),
           "a checksum that begins with a zero");
}

static void test_garbage(void)
{
    static const char *const bad[] = {
        "",
        "h",
        "hst_",
        "hst_000000000000000000000000000000002wjyr",
        "hst_000000000000000000000000000000002wjyrI0",
        "hst_000000000000000000000000000000002wjyrJ",
        "hst_100000000000000000000000000000002wjyrI",
        "HST_000000000000000000000000000000002wjyrI",
        "hst-000000000000000000000000000000002wjyrI",
        "hst_0000000000000000000000000000000-2wjyrI",
        "hst_0000000000000000000000000000000\xC3\xA9wjyrI",
        " hst_000000000000000000000000000000002wjyrI",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        tap_ok(!hs_token_is_well_formed(bad[i]), "refused: '%s'", bad[i]);
    }
}

static void test_every_typo(void)
{
    char token[] = "hst_000000000000000000000000000000002wjyrI";
    int accepted = 0;

    for (size_t at = 4; at < sizeof(token) - 1; at++) {
        char right = token[at];

        for (const char *wrong = alphabet; *wrong; wrong++) {
            token[at] = *wrong;
            accepted += *wrong != right && hs_token_is_well_formed(token);
        }
        token[at] = right;
    }
    tap_is_int(accepted, 0, "no single wrong character is accepted");
}

static void test_make(void)
{
    char first[HS_TOKEN_SIZE];
    char token[HS_TOKEN_SIZE];
    int seen[256] = {0};
    int good = 0;
    int fewest = 1 << 30;
    int most = 0;

    tap_ok(hs_token_make(first), "a token is made");
    tap_is_int((apr_int64_t)strlen(first), 42, "it has 42 characters");
    for (int i = 0; i < 2000; i++) {
        good += hs_token_make(token) && hs_token_is_well_formed(token) && strcmp(token, first) != 0;
        for (int at = 4; at < 36; at++) {
            seen[(unsigned char)token[at]]++;
        }
    }
    tap_is_int(good, 2000, "2000 more are well-formed and not the first one");
    for (const char *c = alphabet; *c; c++) {
        fewest = seen[(unsigned char)*c] < fewest ? seen[(unsigned char)*c] : fewest;
        most = seen[(unsigned char)*c] > most ? seen[(unsigned char)*c] : most;
    }
    /* 64000 characters, 1032 of each expected, deviation 32; a modulo would give eight 25 % more */
    tap_ok(fewest > 822 && most < 1242, "characters are evenly spread (%d to %d)", fewest, most);
}

static void test_digest(apr_pool_t *pool)
{
    char digest[HS_TOKEN_DIGEST_SIZE];

    hs_token_digest(digest, "abc", pool);
    tap_is_str(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
               "SHA-256 of abc (FIPS 180)");
    hs_token_digest(digest, "", pool);
    tap_is_str(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
               "SHA-256 of nothing");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_known();
    test_garbage();
    test_every_typo();
    test_make();
    test_digest(pool);
    return tap_done();
}
