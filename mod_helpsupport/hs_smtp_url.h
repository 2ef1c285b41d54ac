/* hs_smtp_url.h - layer 2: the URL of a mail relay, as HelpSupportMailServer takes it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_SMTP_URL_H
#define HS_SMTP_URL_H

#include "hs_error.h"

typedef enum hs_smtp_tls {
    HS_SMTP_TLS_NONE,     /* loopback, or the administrator wrote ?tls=none */
    HS_SMTP_TLS_STARTTLS, /* no mail and no login before STARTTLS; without it nothing is sent */
    HS_SMTP_TLS_IMPLICIT  /* smtps: TLS from the first octet */
} hs_smtp_tls;

typedef struct hs_smtp_url {
    const char *host; /* name, IPv4 address, or IPv6 address in brackets */
    int port;         /* 25 or 465 where the URL has none */
    hs_smtp_tls tls;
} hs_smtp_url;

/* Read smtp://host[:port], smtps://host[:port], each with ?tls=none or without (smtp only). Returns
 * HS_CONFIGURATION with a text for the administrator where `text` is anything else, above all where
 * it holds a login. The host is copied to `pool`. Thread: any. */
hs_error *hs_smtp_url_parse(hs_smtp_url *out, const char *text, apr_pool_t *pool) HS_MUSTCHECK;

#endif
