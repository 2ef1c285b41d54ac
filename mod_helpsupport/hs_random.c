/* hs_random.c - layer 1: text that nobody can guess. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_random.h"

#include <apr_escape.h>
#include <apr_general.h>

#define OCTETS_MAX 32

const char *hs_random_hex(apr_size_t octets, apr_pool_t *pool)
{
    unsigned char bits[OCTETS_MAX];

    if (octets > sizeof(bits) || apr_generate_random_bytes(bits, octets) != APR_SUCCESS) {
        return NULL;
    }
    return apr_pescape_hex(pool, bits, octets, 0);
}
