/* hs_sender.h - layer 13: the mail process: forked, watched and ended by httpd's parent. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_SENDER_H
#define HS_SENDER_H

#include "hs_config.h"

#include <httpd.h>

/* Start the process that sends the mails of all servers, where any sends mail, and put the pipe
 * that wakes it into `node`. It drops its privileges, is started again when it dies, and ends with
 * the configuration (`pconf`) or its parent: after a graceful stop or restart it first finishes
 * what it is sending. In post_config's second pass. Returns OK or a status that stops httpd. */
int hs_sender_start(hs_node *node, server_rec *main_server, apr_pool_t *pconf);

/* Try again to start it where the system had no process for it. Called by httpd's parent now and
 * then. */
void hs_sender_tend(hs_node *node);

/* Wake the sender of `node` (an hs_node): the `committed` callback of hs_store_create. Never
 * blocks; a pipe that is full has woken it already. Thread: any, of any child. */
void hs_sender_wake(void *node);

#endif
