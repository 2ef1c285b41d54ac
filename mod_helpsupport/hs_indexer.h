/* hs_indexer.h - layer 7: keeps the index of words up with new tickets; host-free. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_INDEXER_H
#define HS_INDEXER_H

#include "hs_store.h"

/* One database's index, kept by one thread of each node; several nodes don't harm each other. */
typedef struct hs_indexer hs_indexer;

/* How the indexer tells that the database fails it; called by its thread. */
typedef void hs_indexer_log(void *baton, const char *text);

/* Make one for `store`, in `pool`; starts no thread. */
hs_error *hs_indexer_create(hs_indexer **indexer, hs_store *store, hs_indexer_log *log, void *baton,
                            apr_pool_t *pool) HS_MUSTCHECK;

/* Work until hs_indexer_stop. Call once, from a thread of its own. */
void hs_indexer_run(hs_indexer *indexer);

/* There are new tickets. Thread: any; never blocks for long. */
void hs_indexer_wake(hs_indexer *indexer);

/* Begin nothing more. Thread: any. */
void hs_indexer_stop(hs_indexer *indexer);

#endif
