/* hs_idn.h - layer 1: international host names (libidn2, the only file that sees it). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_IDN_H
#define HS_IDN_H

#include <apr_pools.h>

/* Convert a UTF-8 host name to lower-case A-labels (IDNA2008 with UTS 46, non-transitional); plain
 * ASCII passes without the library. Returns a string in `pool`, or NULL where the name is not one:
 * at most 253 octets, labels of 1-63 letters, digits and inner hyphens after conversion, no empty
 * label, no trailing dot. Needed because httpd runs in the C locale, where libcurl sends U-labels
 * raw (notes: mail 1.8). Thread: any. */
const char *hs_idn_to_ascii(const char *host, apr_pool_t *pool);

#endif
