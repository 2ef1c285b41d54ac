/* fuzz_query.c - two lines as query and path; every link that is written must be read as the same
 * list, and a path is a route for OPTIONS exactly if it has methods. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "hs_query.h"
#include "hs_route.h"

#include <apr_general.h>
#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>

static void require(int holds)
{
    if (!holds) {
        abort();
    }
}

static int is_same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Read the query of the first link in `links` and compare its filters. */
static void check_link(const hs_list *list, const char *links, apr_pool_t *pool)
{
    hs_problem *problem = hs_problem_make(422, NULL, pool);
    const char *query = strchr(links, '?');
    hs_list again;

    require(query != NULL);
    query = apr_pstrmemdup(pool, query + 1, strcspn(query + 1, ">"));
    require(!hs_query_list(&again, problem, query, pool));
    require(problem->faults->nelts == 0);
    require(is_same_text(again.email, list->email));
    require(is_same_text(again.user_id, list->user_id));
    require(again.statuses == list->statuses && again.limit == list->limit);
    require(again.sort == list->sort && again.descending == list->descending);
    require(again.created_after_us == list->created_after_us);
    require(again.count == list->count && again.has_skip == list->has_skip);
    require(again.has_skip || (again.has_cursor && again.cursor_number == 42));
}

static void check_query(const char *query, const char *path, apr_pool_t *pool)
{
    hs_ticket last = {.number = 42, .created_us = 1751630400000000, .updated_us = 1751630400000001};
    hs_problem *problem = hs_problem_make(422, NULL, pool);
    const char *links;
    hs_status status;
    hs_list list;

    if (hs_query_list(&list, problem, query, pool)) {
        require(hs_query_status(&status, problem, query, pool) != NULL);
        return;
    }
    require(!hs_query_status(&status, hs_problem_make(422, NULL, pool), query, pool));
    links = hs_query_links(&list, path, &last, pool);
    if (problem->faults->nelts == 0 && links) {
        check_link(&list, links, pool);
    }
}

static void check_path(const char *path, apr_pool_t *pool)
{
    hs_route route;

    hs_route_find(&route, "OPTIONS", path, pool);
    require((route.operation == HS_OP_OPTIONS) == (*hs_route_allow(route.resource) != '\0'));
    hs_route_find(&route, "GET", path, pool);
    require(!route.segment || (*route.segment && !strchr(route.segment, '/')));
    hs_route_find(&route, "POST", path, pool);
    require(route.operation != HS_OP_SUBMIT || strcmp(route.segment, path + 1) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static apr_pool_t *root;
    apr_pool_t *pool;
    char *query;
    char *path;

    if (!root) {
        apr_initialize();
        apr_pool_create(&root, NULL);
    }
    apr_pool_create(&pool, root);
    query = apr_pstrmemdup(pool, (const char *)data, size);
    path = strchr(query, '\n');
    if (path) {
        *path++ = '\0';
    }
    check_query(query, path ? path : "/", pool);
    check_path(path ? path : "", pool);
    apr_pool_destroy(pool);
    return 0;
}
