/* hs_random.h - layer 1: text that nobody can guess. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_RANDOM_H
#define HS_RANDOM_H

#include <apr_pools.h>

/* `octets` (1 to 32) random octets of the system's generator as lower-case hex, in `pool`; NULL
 * where the system gives none. Thread: any. */
const char *hs_random_hex(apr_size_t octets, apr_pool_t *pool);

#endif
