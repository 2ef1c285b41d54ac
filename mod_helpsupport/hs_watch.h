/* hs_watch.h - layer 1: a thread that looks at something once a second. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_WATCH_H
#define HS_WATCH_H

typedef struct hs_watch hs_watch;

/* Start to call `look` with `baton` once a second, from a thread that takes no signals. NULL where
 * there can't be one. Thread: any. */
hs_watch *hs_watch_start(void (*look)(void *baton), void *baton);

/* End that, and wait for it; NULL is nothing to end. Thread: any, but not `look`'s. */
void hs_watch_stop(hs_watch *watch);

#endif
