/* hs_delivery.h - layer 4: what to do with a mail after a try, and to whom none goes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_DELIVERY_H
#define HS_DELIVERY_H

#include "hs_smtp.h"

#define HS_DELIVERY_LONGEST_US apr_time_from_sec(60 * 60)   /* between two tries */
#define HS_DELIVERY_AMBIGUOUS_US apr_time_from_sec(10 * 60) /* at least, after a lost answer */

#include <apr_time.h>

typedef struct hs_verdict {
    const char *state;            /* "sent", "failed" or "queued", which is again after … */
    apr_interval_time_t delay_us; /* … this */
    int counts_as_try;            /* 0: the relay was in trouble, not the mail */
    int is_relay_trouble;         /* others would fare no better */
    const char *prefix;           /* what to say before the relay's reply; "" for nothing */
} hs_verdict;

/* Judge the outcome of a try of a mail that had `tries` before. Temporary: again after 1 min × 2^n
 * ± 25 %, at most an hour. Answer lost: as long, but 10 minutes at least, since the mail may have
 * been delivered. `random` is any number. Thread: any. */
void hs_delivery_judge(hs_verdict *verdict, const hs_smtp_outcome *outcome, int tries,
                       apr_uint32_t random);

/* NULL, or why nothing is sent to `recipient` (constant): it is one of the site's own addresses, so
 * that an answering machine could make a loop, or one that stands for a mail system. `reply_to` may
 * be NULL. Case and "+tag" make no difference. Thread: any. */
const char *hs_delivery_refusal(const char *recipient, const char *from, const char *reply_to,
                                apr_pool_t *pool);

#endif
