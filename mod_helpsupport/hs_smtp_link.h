/* hs_smtp_link.h - layer 4: a connection to the relay over which mail can be sent (libcurl). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_SMTP_LINK_H
#define HS_SMTP_LINK_H

#include "hs_smtp.h"
#include "hs_smtp_dialogue.h"

typedef struct hs_smtp_link hs_smtp_link;

/* Sets libcurl up; once per process. */
hs_error *hs_smtp_link_init(apr_pool_t *pool) HS_MUSTCHECK;

/* Make one that is not open. `opts`, all filled in, must live as long as it. HS_CONFIGURATION where
 * an option can't work. Destroying `pool` closes it. */
hs_error *hs_smtp_link_create(hs_smtp_link **out, const hs_smtp_opts *opts,
                              apr_pool_t *pool) HS_MUSTCHECK;

/* What follows is for one thread at a time, but for hs_smtp_link_stop. */

/* Connect, and see to TLS, EHLO and login. Returns whether the relay is ready for a mail; `reply`
 * then holds its last reply, or the one that it ended with. */
int hs_smtp_link_open(hs_smtp_link *link, hs_smtp_reply *reply);

/* Whether it is open, and the relay has not closed it, nor said anything that was not heard: a 421,
 * or the answer to a mail that came too late. */
int hs_smtp_link_is_quiet(hs_smtp_link *link);

/* Of its last EHLO reply; never one that came in clear where TLS is used. */
unsigned int hs_smtp_link_offers(const hs_smtp_link *link);

/* For a dialogue. */
hs_smtp_wire hs_smtp_link_wire(hs_smtp_link *link);

/* What failed last, for the administrator; it names no recipient. */
const char *hs_smtp_link_trouble(hs_smtp_link *link);

/* Close it, if it is open. No wait. */
void hs_smtp_link_close(hs_smtp_link *link);

/* The same after a QUIT, whose answer nobody awaits. For a relay that awaits a command. */
void hs_smtp_link_quit(hs_smtp_link *link);

/* End what another thread does with it, and let none of it begin any more; whether that was done.
 * Thread: any. */
void hs_smtp_link_stop(hs_smtp_link *link);
int hs_smtp_link_is_stopped(hs_smtp_link *link);

#endif
