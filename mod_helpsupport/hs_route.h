/* hs_route.h - layer 4: (method, path) -> operation, from these two alone (contract 1). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_ROUTE_H
#define HS_ROUTE_H

#include <apr_pools.h>

/* What access control decides by. */
typedef enum hs_operation {
    HS_OP_NONE = 0, /* 405 or 404, open to anyone */
    HS_OP_OPTIONS,
    HS_OP_SUBMIT,
    HS_OP_READ,
    HS_OP_WRITE
} hs_operation;

/* Which resource. */
typedef enum hs_resource {
    HS_RESOURCE_NONE = 0, /* no route: 404 */
    HS_RESOURCE_TICKETS,  /* {base} */
    HS_RESOURCE_TICKET,   /* {base}/{ticket_id}, {base}/{user_id} for POST */
    HS_RESOURCE_HISTORY,  /* {base}/{ticket_id}/history */
    HS_RESOURCE_STATUS    /* {base}/{ticket_id}/status */
} hs_resource;

typedef struct hs_route {
    hs_resource resource;
    hs_operation operation;
    const char *segment; /* the decoded {user_id} or {ticket_id}; NULL where there is none */
} hs_route;

/* Route `method` ("GET"; case counts) on `path`, the decoded URI path behind the base: "", "/",
 * "/42", "/42/status". Segments land in `pool`. Thread: any. */
void hs_route_find(hs_route *route, const char *method, const char *path, apr_pool_t *pool);

/* The methods of a resource as an Allow value ("GET, HEAD, POST, OPTIONS"); "" for NONE. Static. */
const char *hs_route_allow(hs_resource resource);

#endif
