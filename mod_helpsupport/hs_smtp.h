/* hs_smtp.h - layer 3: one connection to the mail relay. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_SMTP_H
#define HS_SMTP_H

#include "hs_error.h"
#include "hs_smtp_mail.h"
#include "hs_smtp_reply.h"

/* One relay, and how to speak to it. A time or count of 0 stands for the default. The strings must
 * live as long as the hs_smtp that was made from them. */
typedef struct hs_smtp_opts {
    const char *url;  /* as hs_smtp_check_url accepts it */
    const char *user; /* NULL: no login */
    const char *password;
    const char *ehlo_name; /* host name to say in EHLO; NULL: what the system calls itself */
    const char *ca_file;   /* trusted certificates; NULL: the system's */
    const char *resolve;   /* "host:port:address" instead of asking DNS, for tests; else NULL */
    int connect_timeout_s; /* 30: from look-up to the end of greeting, TLS and login */
    int reply_timeout_s;   /* 600: for each reply; RFC 5321 asks for 10 minutes after the dot */
    int total_timeout_s;   /* 660: for one mail; a mail's lease must be longer */
    int stall_timeout_s;   /* 60: without an octet going out while the body is sent */
    int max_idle_s;        /* 30: an older connection is not used again */
    int max_age_s;         /* 300: the same, counted from its beginning */
    int max_mails;         /* 100: mails over one connection */
} hs_smtp_opts;

typedef struct hs_smtp_outcome {
    hs_smtp_class class;
    int code;   /* the relay's last reply code; 0 where there was none */
    int policy; /* the reply's enhanced code is 5.7.x: the administrator must look (RFC 3463) */
    int is_sender_refused;          /* for good, and so is every mail; with TEMPORARY */
    char reply[HS_SMTP_REPLY_SIZE]; /* last reply, or what failed: printable ASCII, no address */
} hs_smtp_outcome;

typedef struct hs_smtp hs_smtp;

/* Once per process, before any thread is started: sets libcurl up and has SIGPIPE ignored, since
 * OpenSSL writes to sockets that the relay has closed. */
hs_error *hs_smtp_init(apr_pool_t *pool) HS_MUSTCHECK;

/* Whether `url` can be a relay (hs_smtp_url.h); HS_CONFIGURATION with a text if not. Asks neither
 * DNS nor the relay. Thread: any. */
hs_error *hs_smtp_check_url(const char *url, apr_pool_t *pool) HS_MUSTCHECK;

/* Make an object that lives in `pool`; it connects when the first mail is sent. HS_CONFIGURATION
 * where an option can't work. Destroying `pool` closes the connection without waiting for the
 * relay; no other thread may be inside hs_smtp_send or hs_smtp_abort then. */
hs_error *hs_smtp_create(hs_smtp **out, const hs_smtp_opts *opts, apr_pool_t *pool) HS_MUSTCHECK;

/* Send one mail and say what became of it. Keeps the connection for the next call where that is
 * safe. Takes no memory from the pool. Thread: one at a time for one object. */
void hs_smtp_send(hs_smtp_outcome *out, hs_smtp *smtp, const hs_smtp_mail *mail);

/* Say QUIT and close the connection, if there is one; does not wait for the answer. For a sender
 * that has nothing to do: relays dislike idle clients. Thread: the one that sends. */
void hs_smtp_quit(hs_smtp *smtp);

/* End a running hs_smtp_send at once (its outcome is AMBIGUOUS where the mail was handed over, else
 * RELAY) and let no later one begin; there is no way back. Thread: any, while `smtp` lives. */
void hs_smtp_abort(hs_smtp *smtp);

#endif
