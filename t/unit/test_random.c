/* test_random.c - random text. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_random.h"

#include "tap.h"

#include <apr_general.h>

int main(void)
{
    apr_pool_t *pool;
    const char *one;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    one = hs_random_hex(8, pool);
    tap_is_int((apr_int64_t)strlen(one), 16, "two digits for each octet");
    tap_is_int((apr_int64_t)strspn(one, "0123456789abcdef"), 16, "lower case");
    tap_ok(strcmp(one, hs_random_hex(8, pool)) != 0, "another each time");
    tap_is_int((apr_int64_t)strlen(hs_random_hex(32, pool)), 64, "the longest");
    tap_ok(!hs_random_hex(33, pool), "not longer");
    apr_terminate();
    return tap_done();
}
