/* hs_smtp_mail.h - layer 2: one mail as it goes to the relay, and whether it may. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_SMTP_MAIL_H
#define HS_SMTP_MAIL_H

#include <apr.h>

typedef struct hs_smtp_mail {
    const char *sender;    /* envelope sender; "" for the null sender */
    const char *recipient; /* exactly one */
    const char *octets;    /* the message: CRLF line ends, no bare CR or LF, dots not doubled */
    apr_size_t length;
} hs_smtp_mail;

/* NULL, or why the mail can't be sent by anyone: an address or a body that would turn into SMTP
 * commands. The last check before the wire; whoever stored the mail has made his own. The text is
 * constant. Thread: any. */
const char *hs_smtp_mail_problem(const hs_smtp_mail *mail);

#endif
