/* hs_sender_site.h - layer 12: what the mail process works on: each database's mails and index. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_SENDER_SITE_H
#define HS_SENDER_SITE_H

#include "hs_config.h"

#include <apr_tables.h>
#include <httpd.h>

/* All calls are of the mail process's one main thread, in this order. Each database has a thread
 * that keeps its index of words, and where servers send mail one more for that. */

/* How many servers have a database. May be called anywhere. */
int hs_sender_site_count(const server_rec *main_server);

/* Group the servers by their databases; open each database's lock file and read the
 * logins, which only the user who starts httpd can. Returns an array in `pool`, or NULL; the reason
 * is logged. */
apr_array_header_t *hs_sender_sites_open(server_rec *main_server, apr_pool_t *pool);

/* With the privileges dropped: attach the writers' mutex, set up libcurl, make what the threads
 * work on. */
apr_status_t hs_sender_sites_attach(apr_array_header_t *sites, server_rec *main_server,
                                    apr_pool_t *pool);

/* Start the threads of those databases whose lock we have now and that don't run yet. The lock
 * makes one sender work per node and database: after a restart the former generation's may still be
 * sending its last mails. */
void hs_sender_sites_start(apr_array_header_t *sites);

/* There are new tickets; end within `drain_us`; whether any thread still works, after joining those
 * that don't. */
void hs_sender_sites_wake(apr_array_header_t *sites);
void hs_sender_sites_stop(apr_array_header_t *sites, apr_interval_time_t drain_us);
int hs_sender_sites_are_running(apr_array_header_t *sites);

#endif
