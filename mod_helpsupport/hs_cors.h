/* hs_cors.h - layer 10: which pages of other origins may call, and read the answer (contract 3). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_CORS_H
#define HS_CORS_H

#include "hs_route.h"

#include <apr_tables.h>
#include <httpd.h>

/* Check one argument of HelpSupportAllowOrigin: "*" or scheme://host[:port]. Returns NULL, or what
 * is wrong with it. */
const char *hs_cors_check_origin(const char *origin);

/* Put Vary, and where one of `origins` (of const char *; NULL: none) lets the request's Origin call
 * this route, the CORS fields into `headers`; on a preflight also those that answer it. Thread: the
 * request's. */
void hs_cors_put(request_rec *r, apr_table_t *headers, const apr_array_header_t *origins,
                 const hs_route *route);

#endif
