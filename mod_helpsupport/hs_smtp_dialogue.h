/* hs_smtp_dialogue.h - layer 3: the commands and replies that hand a mail to a relay. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_SMTP_DIALOGUE_H
#define HS_SMTP_DIALOGUE_H

#include "hs_smtp_mail.h"
#include "hs_smtp_reply.h"

#include <apr_time.h>

/* What carries the octets. Both functions wait until `until` (hs_clock_now) at the latest. */
typedef struct hs_smtp_wire {
    void *link; /* their first argument */
    /* Returns 1 when all octets were taken, else 0. */
    int (*send)(void *link, const char *octets, apr_size_t length, apr_time_t until);
    /* Returns how many octets came; 0 where none will. */
    apr_size_t (*receive)(void *link, char *octets, apr_size_t size, apr_time_t until);
} hs_smtp_wire;

/* The extensions in an EHLO reply that we make use of. */
typedef enum hs_smtp_offer {
    HS_SMTP_PIPELINING = 1, /* RFC 2920 */
    HS_SMTP_SIZE = 2        /* RFC 1870 */
} hs_smtp_offer;

typedef struct hs_smtp_dialogue {
    /* what the caller sets */
    hs_smtp_wire wire;
    unsigned int offers; /* of the relay: hs_smtp_offer, or'ed */
    apr_time_t patience; /* for one reply */
    apr_time_t until;    /* for the whole mail */
    /* what became of the mail */
    hs_smtp_stage stage;
    hs_smtp_reply reply; /* the last one */
    int answered;        /* whether it came in full */
    const char *trouble; /* what was wrong with it; NULL: nothing */
    /* Replies that the relay owes us; from 354 on one for the mail. A late one would be taken for
     * the answer to the next command. */
    int owed;
    apr_size_t heard;  /* octets of `in` */
    apr_size_t unsaid; /* octets of `out` */
    char in[2048];     /* RFC 5321 allows a reply's line 512 octets */
    char out[16384];
} hs_smtp_dialogue;

/* Hand over one mail that hs_smtp_mail_problem finds no fault with, to a relay that owes no reply.
 * Returns its class. Thread: one at a time for one dialogue. */
hs_smtp_class hs_smtp_dialogue_run(hs_smtp_dialogue *dialogue, const hs_smtp_mail *mail);

/* Whether after a mail both sides know that the next thing said is a command of ours. Thread: as
 * above. */
int hs_smtp_dialogue_is_in_step(const hs_smtp_dialogue *dialogue);

#endif
