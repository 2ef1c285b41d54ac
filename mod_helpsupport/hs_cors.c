/* hs_cors.c - layer 10: which pages of other origins may call, and read the answer (contract 3). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_cors.h"

#include <apr_strings.h>
#include <apr_uri.h>

#include <string.h>

const char *hs_cors_check_origin(const char *origin)
{
    const char *authority = strstr(origin, "://");

    if (!strcmp(origin, "*")) {
        return NULL;
    }
    if (!authority || authority == origin || !authority[3] || strpbrk(authority + 3, "/?#@* ")) {
        return "must be * or an origin as browsers send it: scheme://host or scheme://host:port";
    }
    return NULL;
}

/* What Access-Control-Allow-Origin says, or NULL. "*" is for submission only, and never an echo, so
 * a request with "Origin: null" gets no more than anyone. */
static const char *allowed_origin(const apr_array_header_t *origins, const char *origin,
                                  int is_for_submission)
{
    const char *any = NULL;

    for (int i = 0; i < origins->nelts; i++) {
        const char *allowed = APR_ARRAY_IDX(origins, i, const char *);

        if (!ap_cstr_casecmp(allowed, origin)) {
            return origin; /* as the browser spells it, for it compares octets */
        }
        if (!strcmp(allowed, "*") && is_for_submission) {
            any = allowed;
        }
    }
    return any;
}

static int is_for_submission(const hs_route *route)
{
    return route->operation == HS_OP_SUBMIT ||
           (route->operation == HS_OP_OPTIONS && route->resource == HS_RESOURCE_TICKET);
}

void hs_cors_put(request_rec *r, apr_table_t *headers, const apr_array_header_t *origins,
                 const hs_route *route)
{
    const char *origin = apr_table_get(r->headers_in, "Origin");
    const char *allowed;

    apr_table_mergen(headers, "Vary", "Origin");
    if (!origin || !origins) {
        return;
    }
    allowed = allowed_origin(origins, origin, is_for_submission(route));
    if (!allowed) {
        return;
    }
    apr_table_setn(headers, "Access-Control-Allow-Origin", allowed);
    if (route->operation == HS_OP_OPTIONS &&
        apr_table_get(r->headers_in, "Access-Control-Request-Method")) {
        apr_table_setn(headers, "Access-Control-Allow-Methods",
                       *allowed == '*' ? "POST" : hs_route_allow(route->resource));
        apr_table_setn(headers, "Access-Control-Allow-Headers",
                       "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match");
        apr_table_setn(headers, "Access-Control-Max-Age", "7200");
        return;
    }
    apr_table_setn(headers, "Access-Control-Expose-Headers",
                   "Location, Link, ETag, X-Total-Count, Retry-After, Idempotency-Replayed");
}
