/* hs_group.h - layer 5: group commit: what waits at the same moment is written together. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_GROUP_H
#define HS_GROUP_H

#include "hs_error.h"

#include <apr_time.h>

/* A queue of writers. Whoever comes first leads: it takes what waits, up to a bound, has it written
 * together, and wakes the others, each with its own result; who came meanwhile is the next group.
 * No timer, no thread of its own, nothing added when only one writes. */
typedef struct hs_group hs_group;

/* Write `count` items (1 and up) in the order they came, before `deadline`, which is that of the
 * item that may wait longest; `pool` is the leader's. Runs in the leader's thread, one call at a
 * time for each group. The other items' owners sleep until it returns, so it may write into them
 * and allocate from their pools. It must not join the same group. */
typedef void hs_group_run(void *baton, void **items, int count, apr_time_t deadline,
                          apr_pool_t *pool);

/* Make a queue that hands `run` at most `max` items at once. It lives in `pool`. */
hs_error *hs_group_create(hs_group **group, int max, hs_group_run *run, void *baton,
                          apr_pool_t *pool) HS_MUSTCHECK;

/* Have `item` written, with others or alone. Returns NULL after `run` returned for it; what came of
 * it, `run` has left in the item. HS_UNAVAILABLE where no leader took it before `deadline`: it was
 * not written and will not be. Once it was taken there is no giving up, because the leader reads
 * it: run's own steps must be bounded. Thread: any; `pool` is the caller's. */
hs_error *hs_group_join(hs_group *group, void *item, apr_time_t deadline,
                        apr_pool_t *pool) HS_MUSTCHECK;

#endif
