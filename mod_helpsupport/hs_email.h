/* hs_email.h - layer 2: one e-mail address, as strict as sending it needs (RFC 5321, 5322). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_EMAIL_H
#define HS_EMAIL_H

#include <apr_pools.h>

#define HS_EMAIL_MAX_OCTETS 254
#define HS_EMAIL_LOCAL_MAX_OCTETS 64

/* Check an address by the contract's rule (1.1): local part an ASCII dot-atom, domain a host name
 * of two labels or more. Returns the form to store (local part as written, domain in A-labels, at
 * most 254 octets after conversion) in `pool`, or NULL where it isn't one address. Never lets CR,
 * LF, space or a comma through: libcurl sends them as SMTP commands. Thread: any. */
const char *hs_email_normalize(const char *text, apr_pool_t *pool);

/* What two addresses that differ only in case have in common: the normalized address in lower case,
 * in `pool`. Thread: any. */
const char *hs_email_fold(const char *address, apr_pool_t *pool);

/* Whose mailbox it is, as limits count: hs_email_fold's, and without the local part's "+tag". In
 * `pool`. Thread: any. */
const char *hs_email_recipient(const char *address, apr_pool_t *pool);

#endif
