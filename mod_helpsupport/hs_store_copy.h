/* hs_store_copy.h - layer 7: copies all that one database holds to another. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_STORE_COPY_H
#define HS_STORE_COPY_H

#include "hs_store.h"

/* Told after each page of rows how far the copy is: `done` of `total` `what` ("tickets"). */
typedef void hs_copy_progress(void *baton, const char *what, apr_int64_t done, apr_int64_t total);

/* Copy tickets, histories, idempotency keys, mails and tokens from one database to another, of any
 * kind each, in one transaction there; `from` can't be written meanwhile. Tables that are absent
 * from `to` are made. *summary tells what was copied. Holds a few pages of rows at most. Thread: no
 * other may use either store. HS_CONFIGURATION: refused, `to` holds something, or one of them has
 * another schema; HS_UNAVAILABLE: nothing was copied; HS_OUTCOME_UNKNOWN. */
hs_error *hs_store_copy(hs_store *from, hs_store *to, const char **summary,
                        hs_copy_progress *progress, void *baton, apr_pool_t *pool) HS_MUSTCHECK;

#endif
