/* hs_source.h - layer 2: a text file written by the administrator, and where in it an error is. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_SOURCE_H
#define HS_SOURCE_H

#include "hs_error.h"

typedef struct hs_source {
    const char *file; /* what errors call it */
    const char *text; /* its content, with LF as line end and a NUL behind it */
    apr_size_t length;
} hs_source;

/* Take `length` octets of `text` as the content of `file`: copied to `pool`, without a byte order
 * mark, CR LF as LF. Returns HS_CONFIGURATION "file:line:column: ..." for more than `max` octets,
 * for what is not UTF-8, and for control characters but tab and line end. Thread: any. */
hs_error *hs_source_read(hs_source *source, const char *file, const char *text, apr_size_t length,
                         apr_size_t max, apr_pool_t *pool) HS_MUSTCHECK;

/* Make the HS_CONFIGURATION error "file:line:column: what" for the octet at `offset`; columns count
 * code points, from 1. Thread: any. */
hs_error *hs_source_error(const hs_source *source, apr_size_t offset, const char *what,
                          apr_pool_t *pool) HS_MUSTCHECK;

#endif
