/* hs_confirmation.h - layer 5: the mail that confirms a ticket: templates, language, composition.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_CONFIRMATION_H
#define HS_CONFIRMATION_H

#include "hs_buffer.h"
#include "hs_error.h"
#include "hs_message.h"
#include "hs_ticket.h"

#define HS_CONFIRMATION_LANGUAGE "en" /* of the files without a language tag, the default */
#define HS_CONFIRMATION_RECHECK_US (5 * APR_USEC_PER_SEC)

/* One site's settings. The strings must outlive what is loaded with them. */
typedef struct hs_confirmation_opts {
    const char *folder;         /* HelpSupportTemplates */
    const char *site_name;      /* HelpSupportSite */
    const char *site_url;       /* or NULL; hs_template_is_url() */
    const hs_mailbox *from;     /* HelpSupportMailFrom */
    const hs_mailbox *reply_to; /* HelpSupportMailReplyTo, or NULL: {{support.email}} is absent */
    int echo_message;           /* HelpSupportMailEcho message */
} hs_confirmation_opts;

/* The templates of one site: confirmation.subject, .txt and .html, and for further languages
 * confirmation.de.subject, .txt and .html: each language has all three. */
typedef struct hs_confirmation hs_confirmation;

/* Load every language, and prove it by test renderings through the composer, with all variables
 * set, with none that may be absent, and with the site's own. All of it lives in `pool`, whose
 * cleanup frees it; no other thread may be inside a call then. Returns HS_CONFIGURATION, text
 * "file:line:column: ...", for the first thing that is wrong: configtest fails with it. */
hs_error *hs_confirmation_load(hs_confirmation **made, const hs_confirmation_opts *opts,
                               apr_pool_t *pool) HS_MUSTCHECK;

/* Load the folder again if a file was added, removed or changed (mtime, inode, size). Looks at the
 * disk at most every HS_CONFIRMATION_RECHECK_US of `now_us`, so it may be called before each mail.
 * The whole set is exchanged at once. A set with an error changes nothing; the error is returned
 * once, by the call that found it. Thread: any. */
hs_error *hs_confirmation_refresh(hs_confirmation *confirmation, apr_time_t now_us,
                                  apr_pool_t *pool) HS_MUSTCHECK;

/* The language to confirm in, for an Accept-Language field value (NULL: none was sent): one that is
 * loaded, in `pool`; HS_CONFIRMATION_LANGUAGE where none fits. Thread: any. */
const char *hs_confirmation_language(hs_confirmation *confirmation, const char *accept_language,
                                     apr_pool_t *pool);

typedef struct hs_confirmation_mail {
    const hs_ticket *ticket; /* id, number, name, email, message and created_us are read */
    const char *language;    /* as chosen at submission; one no longer there means the default */
    const char *message_id;  /* hs_message.h */
} hs_confirmation_mail;

/* Append the complete message to `out`. What the submitter wrote is repeated only so far: the name
 * if it is 40 characters of letters, marks, space and "'-." at most, the message with echo_message;
 * neither forms a link. The same mail, templates and settings make the same octets. Returns
 * HS_CONFIGURATION from a template, HS_INVALID from the composer. Thread: many at once. */
hs_error *hs_confirmation_render(hs_confirmation *confirmation, hs_buffer *out,
                                 const hs_confirmation_mail *mail, apr_pool_t *pool) HS_MUSTCHECK;

#endif
