/* test_uri.c - query strings as forms, percent-encoding. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_uri.h"

#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

/* All pairs as "<name=value>". */
static void is_query(const char *query, const char *want, apr_pool_t *pool)
{
    apr_array_header_t *pairs = hs_uri_query(query, pool);
    const char *got = pairs ? "" : NULL;

    for (int i = 0; pairs && i < pairs->nelts; i++) {
        hs_uri_pair *pair = &APR_ARRAY_IDX(pairs, i, hs_uri_pair);

        got = apr_pstrcat(pool, got, "<", pair->name, "=", pair->value, ">", NULL);
    }
    tap_is_str(got, want, query ? query : "no query");
}

static void test_query(apr_pool_t *pool)
{
    is_query(NULL, "", pool);
    is_query("", "", pool);
    is_query("a=1", "<a=1>", pool);
    is_query("a=1&b=2", "<a=1><b=2>", pool);
    is_query("b=2&a=1&b=3", "<b=2><a=1><b=3>", pool);
    is_query("a=1&&b=2&", "<a=1><b=2>", pool);
    is_query("&&&", "", pool);
    is_query("a", "<a=>", pool);
    is_query("a=", "<a=>", pool);
    is_query("=1", "<=1>", pool);
    is_query("=", "<=>", pool);
    is_query("a=b=c", "<a=b=c>", pool);
    is_query("a=1;b=2", "<a=1;b=2>", pool);
    is_query("a+b=c+d", "<a b=c d>", pool);
    is_query("a=%2B%26%3d%25", "<a=+&=%>", pool);
    is_query("st%61tus=open", "<status=open>", pool);
    is_query("q=%C3%BC%e2%82%ac", "<q=\xC3\xBC\xE2\x82\xAC>", pool);
    is_query("q=\xC3\xBC", "<q=\xC3\xBC>", pool);
    is_query("q=%F0%9F%98%80", "<q=\xF0\x9F\x98\x80>", pool);
    is_query("a=%0d%0a%01", "<a=\r\n\x01>", pool);
}

static void test_query_malformed(apr_pool_t *pool)
{
    is_query("a=%", NULL, pool);
    is_query("a=%4", NULL, pool);
    is_query("a=%4&b=1", NULL, pool);
    is_query("a=%zz", NULL, pool);
    is_query("a=%4g", NULL, pool);
    is_query("a=%g4", NULL, pool);
    is_query("a=% 4", NULL, pool);
    is_query("a=%+4", NULL, pool);
    is_query("%=1", NULL, pool);
    is_query("a=1&b=%", NULL, pool);
    is_query("a=%00", NULL, pool);
    is_query("a%00b=1", NULL, pool);
    is_query("a=%C3", NULL, pool);
    is_query("%ff=1", NULL, pool);
    is_query("a=%C0%AF", NULL, pool);
    is_query("a=%ED%A0%80", NULL, pool);
    is_query("a=\xFF", NULL, pool);
}

static void test_many(apr_pool_t *pool)
{
    apr_array_header_t *pairs = hs_uri_query("a&b&c&d&e&f&g&h&i&j=last", pool);

    tap_is_int(pairs->nelts, 10, "more pairs than the first room");
    tap_is_str(APR_ARRAY_IDX(pairs, 9, hs_uri_pair).value, "last", "the tenth is whole");
}

static void test_encode(apr_pool_t *pool)
{
    const char *unreserved = "ABCXYZabcxyz0123456789-._~";
    const char *hostile = "100% \"<x>\" a+b&c=d \xC3\xBC\r\n";
    const char *encoded = hs_uri_encode(hostile, pool);
    apr_array_header_t *pairs = hs_uri_query(apr_pstrcat(pool, "q=", encoded, NULL), pool);

    tap_is_str(hs_uri_encode("", pool), "", "empty");
    tap_is_str(hs_uri_encode(unreserved, pool), unreserved, "unreserved stay");
    tap_is_str(hs_uri_encode("a b+c&d=e/f?g#h%", pool), "a%20b%2Bc%26d%3De%2Ff%3Fg%23h%25",
               "reserved are encoded, upper-case hex");
    tap_is_str(hs_uri_encode("\xC3\xBC\x7F\x01", pool), "%C3%BC%7F%01", "octets beside ASCII");
    tap_is_str(APR_ARRAY_IDX(pairs, 0, hs_uri_pair).value, hostile, "decoding gives it back");
}

static void test_encode_path(apr_pool_t *pool)
{
    tap_is_str(hs_uri_encode_path("/help-support/1:@!$&'()*+,;=~", pool),
               "/help-support/1:@!$&'()*+,;=~", "pchar and slash stay");
    tap_is_str(hs_uri_encode_path("/a b?c#d%<>\"\\^`{|}[]", pool),
               "/a%20b%3Fc%23d%25%3C%3E%22%5C%5E%60%7B%7C%7D%5B%5D", "all else is encoded");
    tap_is_str(hs_uri_encode_path("/\xC3\xBC\r\n", pool), "/%C3%BC%0D%0A",
               "no header can be injected");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_query(pool);
    test_query_malformed(pool);
    test_many(pool);
    test_encode(pool);
    test_encode_path(pool);
    apr_terminate();
    return tap_done();
}
