/* hs_route.c - layer 4: (method, path) -> operation, from these two alone (contract 1). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_route.h"

#include <apr_strings.h>

#include <string.h>

#define METHODS_MAX 3

/* What each resource answers to, beside OPTIONS. Indexed by hs_resource. */
static const struct {
    const char *allow;
    struct {
        const char *name; /* NULL: no more */
        hs_operation operation;
    } methods[METHODS_MAX];
} table[] = {
    [HS_RESOURCE_NONE] = {"", {{NULL, HS_OP_NONE}}},
    [HS_RESOURCE_TICKETS] = {"GET, HEAD, OPTIONS", {{"GET", HS_OP_READ}, {"HEAD", HS_OP_READ}}},
    [HS_RESOURCE_TICKET] = {"GET, HEAD, POST, OPTIONS",
                            {{"GET", HS_OP_READ}, {"HEAD", HS_OP_READ}, {"POST", HS_OP_SUBMIT}}},
    [HS_RESOURCE_HISTORY] = {"GET, HEAD, OPTIONS", {{"GET", HS_OP_READ}, {"HEAD", HS_OP_READ}}},
    [HS_RESOURCE_STATUS] = {"PATCH, OPTIONS", {{"PATCH", HS_OP_WRITE}}},
};

/* What the part behind "/{id}" makes of it. */
static hs_resource find_resource(const char *rest)
{
    if (!*rest) {
        return HS_RESOURCE_TICKET;
    }
    if (strcmp(rest, "/history") == 0) {
        return HS_RESOURCE_HISTORY;
    }
    return strcmp(rest, "/status") == 0 ? HS_RESOURCE_STATUS : HS_RESOURCE_NONE;
}

static hs_operation find_operation(hs_resource resource, const char *method)
{
    if (resource != HS_RESOURCE_NONE && strcmp(method, "OPTIONS") == 0) {
        return HS_OP_OPTIONS;
    }
    for (int i = 0; i < METHODS_MAX && table[resource].methods[i].name; i++) {
        if (strcmp(method, table[resource].methods[i].name) == 0) {
            return table[resource].methods[i].operation;
        }
    }
    return HS_OP_NONE;
}

void hs_route_find(hs_route *route, const char *method, const char *path, apr_pool_t *pool)
{
    apr_size_t length;

    route->segment = NULL;
    if (!*path || strcmp(path, "/") == 0) {
        route->resource = HS_RESOURCE_TICKETS;
        route->operation = find_operation(HS_RESOURCE_TICKETS, method);
        return;
    }
    length = *path == '/' ? strcspn(path + 1, "/") : 0;
    route->resource = length ? find_resource(path + 1 + length) : HS_RESOURCE_NONE;
    route->operation = find_operation(route->resource, method);
    if (route->resource != HS_RESOURCE_NONE) {
        route->segment = apr_pstrmemdup(pool, path + 1, length);
    }
}

const char *hs_route_allow(hs_resource resource)
{
    return table[resource].allow;
}
