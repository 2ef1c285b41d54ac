/* hs_uri.h - layer 2: percent-encoding (RFC 3986) and query strings decoded as forms. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_URI_H
#define HS_URI_H

#include <apr_pools.h>
#include <apr_tables.h>

/* One name=value of a query; a parameter without "=" has the value "". */
typedef struct hs_uri_pair {
    const char *name;
    const char *value;
} hs_uri_pair;

/* Decode `query` (NULL counts as empty) as application/x-www-form-urlencoded into an array of
 * hs_uri_pair in `pool`, in order; empty pieces ("a=1&&b=2") are passed over. Returns NULL where a
 * percent sign is not followed by two hex digits, or where a decoded name or value holds a NUL or
 * is not UTF-8 (400). Thread: any. */
apr_array_header_t *hs_uri_query(const char *query, apr_pool_t *pool);

/* `text` with all but RFC 3986 unreserved characters percent-encoded. Thread: any. */
const char *hs_uri_encode(const char *text, apr_pool_t *pool);

/* Like hs_uri_encode, for a path: "/" and the other pchar of RFC 3986 (":@!$&'()*+,;=") stay.
 * Thread: any. */
const char *hs_uri_encode_path(const char *path, apr_pool_t *pool);

#endif
