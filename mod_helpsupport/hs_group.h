/* hs_group.h - layer 5: group commit: what waits at the same moment is done together. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_GROUP_H
#define HS_GROUP_H

#include "hs_error.h"

#include <apr_time.h>

/* A queue of those who want the same of a database. Whoever comes first leads: it takes what waits,
 * up to a bound, has it done together, and wakes the others, each with its own result; who came
 * meanwhile is the next group. No timer, no thread of its own, nothing added when only one comes.
 */
typedef struct hs_group hs_group;

typedef struct hs_group_bounds {
    int leaders; /* groups under way at once, at most */
    int crowd;   /* so many wait, or one for long, before there is another leader: small groups
                  * cost the most */
    int items;   /* in one group, at most */
} hs_group_bounds;

/* Do what `count` items (1 and up) ask for, the leader's own first, before `deadline`, which is
 * that of the item that may wait longest; `pool` is the leader's. Runs in the leader's thread. The
 * other items' owners sleep until it returns, so it may write into them and allocate from their
 * pools. It must not join the same group. */
typedef void hs_group_run(void *baton, void **items, int count, apr_time_t deadline,
                          apr_pool_t *pool);

/* Make a queue that lives in `pool`. */
hs_error *hs_group_create(hs_group **group, hs_group_bounds bounds, hs_group_run *run, void *baton,
                          apr_pool_t *pool) HS_MUSTCHECK;

/* Have `item` done, with others or alone. Returns NULL after `run` returned for it; what came of
 * it, `run` has left in the item. HS_UNAVAILABLE where no leader took it before `deadline`
 * (hs_clock_now): it was not done and will not be. Once it was taken there is no giving up, because
 * the leader reads it: run's own steps must be bounded. Thread: any; `pool` is the caller's. */
hs_error *hs_group_join(hs_group *group, void *item, apr_time_t deadline,
                        apr_pool_t *pool) HS_MUSTCHECK;

#endif
