/* hs_message.h - layer 3: composes a mail with a text and an HTML part (RFC 5322, MIME). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_MESSAGE_H
#define HS_MESSAGE_H

#include "hs_buffer.h"
#include "hs_error.h"

#include <apr_time.h>

/* An address that the administrator configured, perhaps with a name shown beside it. */
typedef struct hs_mailbox {
    const char *name;    /* UTF-8 without control characters, or NULL */
    const char *address; /* as hs_email_normalize returns it */
} hs_mailbox;

/* Everything that a mail consists of; the same values always make the same octets. */
typedef struct hs_message {
    const hs_mailbox *from;
    const hs_mailbox *reply_to; /* or NULL */
    const char *to;             /* bare address: no name that a stranger chose reaches a header */
    const char *subject;
    apr_time_t date_us;
    const char *message_id; /* without angle brackets: "hs.1.confirmation.x8d@example.com" */
    const char *text;       /* UTF-8; any of LF, CR LF, CR ends a line */
    const char *html;
} hs_message;

/* Read "Name <address>", "\"Name\" <address>", "<address>" or "address" into *mailbox, strings in
 * `pool`. Returns HS_CONFIGURATION where it is anything else: a bad address, control characters,
 * or a name with one of < > " \ @ , ; outside quotes. Thread: any. */
hs_error *hs_mailbox_read(hs_mailbox *mailbox, const char *text, apr_pool_t *pool) HS_MUSTCHECK;

/* Append the complete message to `out`: headers of contract 6, multipart/alternative with the text
 * first, all 7-bit, CR LF, body lines of at most 76 octets. Date is in UTC; the boundary comes from
 * the Message-ID. Returns HS_INVALID, and appends nothing, where a header's value holds a control
 * character or is not UTF-8, an address is not one, or a part is not UTF-8. Thread: any. */
hs_error *hs_message_compose(hs_buffer *out, const hs_message *message,
                             apr_pool_t *pool) HS_MUSTCHECK;

#endif
