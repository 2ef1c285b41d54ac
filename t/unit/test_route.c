/* test_route.c - every method on every route, and on what is none. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_route.h"

#include "tap.h"

#include <apr_general.h>

#define OPERATIONS 8

static const char *const methods[OPERATIONS] = {"GET",     "HEAD",   "POST", "PATCH",
                                                "OPTIONS", "DELETE", "get",  ""};

static const char *name_of(hs_operation operation)
{
    static const char *const names[] = {"none", "options", "submit", "read", "write"};

    return names[operation];
}

/* `want`: one letter per method above (- none, o options, s submit, r read, w write). */
static void check(const char *path, hs_resource resource, const char *segment, const char *want,
                  apr_pool_t *pool)
{
    for (int i = 0; i < OPERATIONS; i++) {
        hs_route route = {(hs_resource)-1, (hs_operation)-1, "not set"};
        char letter = want[i] == '-' ? 'n' : want[i];

        hs_route_find(&route, methods[i], path, pool);
        tap_ok(name_of(route.operation)[0] == letter, "%s '%s' is %s", methods[i], path,
               name_of(route.operation));
        tap_is_int((int)route.resource, (int)resource, "… of the right resource");
        tap_is_str(route.segment, segment, "… with the right segment");
    }
}

static void test_routes(apr_pool_t *pool)
{
    check("", HS_RESOURCE_TICKETS, NULL, "rr--o---", pool);
    check("/", HS_RESOURCE_TICKETS, NULL, "rr--o---", pool);
    check("/42", HS_RESOURCE_TICKET, "42", "rrs-o---", pool);
    check("/auth0|64\xC3\xA9", HS_RESOURCE_TICKET, "auth0|64\xC3\xA9", "rrs-o---", pool);
    check("/history", HS_RESOURCE_TICKET, "history", "rrs-o---", pool);
    check("/a.gz", HS_RESOURCE_TICKET, "a.gz", "rrs-o---", pool);
    check("/42/history", HS_RESOURCE_HISTORY, "42", "rr--o---", pool);
    check("/42/status", HS_RESOURCE_STATUS, "42", "---wo---", pool);
    check("/status/status", HS_RESOURCE_STATUS, "status", "---wo---", pool);
}

static void test_no_routes(apr_pool_t *pool)
{
    static const char *const paths[] = {
        "//",          "/42/",        "///",           "//42",       "//status",  "/42//",
        "/42//status", "/42/status/", "/42/history/x", "/42/Status", "/42/other", "/42/statuses",
        "/42/stat",    "42",          "status",
    };

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        check(paths[i], HS_RESOURCE_NONE, NULL, "--------", pool);
    }
}

static void test_allow(void)
{
    tap_is_str(hs_route_allow(HS_RESOURCE_NONE), "", "nothing is allowed on no route");
    tap_is_str(hs_route_allow(HS_RESOURCE_TICKETS), "GET, HEAD, OPTIONS", "Allow of the list");
    tap_is_str(hs_route_allow(HS_RESOURCE_TICKET), "GET, HEAD, POST, OPTIONS", "Allow of one");
    tap_is_str(hs_route_allow(HS_RESOURCE_HISTORY), "GET, HEAD, OPTIONS", "Allow of a history");
    tap_is_str(hs_route_allow(HS_RESOURCE_STATUS), "PATCH, OPTIONS", "Allow of a status");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_routes(pool);
    test_no_routes(pool);
    test_allow();
    return tap_done();
}
