/* hs_breaker.h - layer 1: how many mails a relay may get at once; none while it is in trouble. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_BREAKER_H
#define HS_BREAKER_H

#include <apr_time.h>

#define HS_BREAKER_SHORTEST_US apr_time_from_sec(5)
#define HS_BREAKER_LONGEST_US apr_time_from_sec(5 * 60)

/* One relay as one process sees it. Well: `most` mails at once. Trouble opens it: nothing goes out
 * for a random time up to 5 s, later up to a tenth of the trouble's length, at most 5 min: so it
 * adds next to nothing to a long outage, and a short one ends with it. Then one mail probes. If the
 * relay takes that, 1, 2, 4 … mails go out at once. What turned out to be too many (a relay
 * may allow a client two connections) isn't tried again for 5 minutes. Pure: the caller has the
 * clock and the dice, and sees to it that one thread at a time is in here. */
typedef struct hs_breaker {
    int most;
    int allowed;              /* mails at once; 0: open */
    int proven;               /* mails in a row that it took with that many */
    int under_way;            /* mails that began since it opened last */
    unsigned epoch;           /* how often it opened */
    int ceiling;              /* no more than this … */
    apr_time_t ceiling_until; /* … until then */
    apr_time_t down_since;    /* 0: no trouble */
    apr_time_t open_until;
} hs_breaker;

typedef enum hs_breaker_change {
    HS_BREAKER_AS_BEFORE = 0,
    HS_BREAKER_OPENED, /* trouble began */
    HS_BREAKER_CLOSED  /* trouble is over */
} hs_breaker_change;

/* Start well. */
void hs_breaker_init(hs_breaker *breaker, int most);

/* How many more mails may begin now. */
int hs_breaker_room(const hs_breaker *breaker, apr_time_t now_us);

/* Whether as many as ever are allowed: it makes sense to have mails at hand beyond the room. */
int hs_breaker_is_well(const hs_breaker *breaker, apr_time_t now_us);

/* Whether nothing may begin, however little is under way. */
int hs_breaker_is_open(const hs_breaker *breaker, apr_time_t now_us);

/* A mail begins; there has to be room. Returns what hs_breaker_end wants to know. */
unsigned hs_breaker_begin(hs_breaker *breaker);

/* It ended. `is_trouble`: for a reason that lies with the relay and not with the mail. `random` is
 * any number. Trouble of a mail that began before it opened says nothing new. */
hs_breaker_change hs_breaker_end(hs_breaker *breaker, unsigned begun, int is_trouble,
                                 apr_time_t now_us, apr_uint32_t random);

#endif
