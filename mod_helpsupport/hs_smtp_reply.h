/* hs_smtp_reply.h - layer 2: what a relay answered, and what that means for a mail. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_SMTP_REPLY_H
#define HS_SMTP_REPLY_H

#include <apr.h>

#define HS_SMTP_REPLY_SIZE 256

/* What became of a mail, which is also what to do next. */
typedef enum hs_smtp_class {
    HS_SMTP_SENT = 1,
    HS_SMTP_RELAY, /* not sent; says nothing about this mail: count no try, wait for the relay */
    HS_SMTP_TEMPORARY, /* not sent; count a try, again later */
    HS_SMTP_AMBIGUOUS, /* handed over, answer lost: maybe sent; again after 10 minutes or more */
    HS_SMTP_PERMANENT  /* refused for good */
} hs_smtp_class;

/* How far a mail got. */
typedef enum hs_smtp_stage {
    HS_SMTP_CONNECTING, /* up to the end of greeting, TLS and login */
    HS_SMTP_SENDER,     /* MAIL */
    HS_SMTP_ENVELOPE,   /* RCPT, DATA */
    HS_SMTP_BODY,       /* the relay said 354 */
    HS_SMTP_HANDED_OVER /* the relay may have the final dot */
} hs_smtp_stage;

/* The last reply, lines joined. Zeroed: none yet. */
typedef struct hs_smtp_reply {
    int code; /* 0: none yet */
    int more; /* further lines of it follow */
    int cut;  /* it was longer than `text` */
    apr_size_t length;
    char text[2 * HS_SMTP_REPLY_SIZE];
} hs_smtp_reply;

/* Take one line of a reply, with its line end or without; the first line of the next reply replaces
 * the last reply. Returns 0, and changes nothing, where it is none, or has another code than the
 * lines before it. One thread at a time. */
int hs_smtp_reply_add(hs_smtp_reply *reply, const char *line, apr_size_t length);

/* What to do about a mail that was not accepted, by how far it got, the last reply since MAIL, and
 * whether the relay's answer ended it (`answered`) or the connection did. Thread: any. */
hs_smtp_class hs_smtp_reply_classify(const hs_smtp_reply *reply, hs_smtp_stage stage, int answered);

/* Whether it carries an enhanced code 5.7.x (RFC 3463: policy, which is the administrator's to
 * mend). Thread: any. */
int hs_smtp_reply_is_policy(const hs_smtp_reply *reply);

/* Write `text` as printable ASCII, cut to fit, with "(address)" for every word that holds an "@" or
 * the local part of `recipient` (NULL: none) without its "+tag", since relays also write "no such
 * user jane.doe": the recipient must not get into a log. `is_cut`: its last word may be half an
 * address. Thread: any. */
void hs_smtp_reply_mask(char out[HS_SMTP_REPLY_SIZE], const char *text, int is_cut,
                        const char *recipient);

#endif
