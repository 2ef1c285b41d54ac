/* hs_smtp_sockets.h - layer 2: the sockets of one relay connection, and how to stop them. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_SMTP_SOCKETS_H
#define HS_SMTP_SOCKETS_H

#include <apr_pools.h>
#include <apr_thread_mutex.h>

/* Two addresses of a host may be tried side by side, each with a socket of its own. */
#define HS_SMTP_SOCKETS_MAX 8

/* A socket is in the list from its birth to its close, both under the lock: so stopping can't hit a
 * number that meanwhile names another file. */
typedef struct hs_smtp_sockets {
    apr_thread_mutex_t *lock;
    volatile apr_uint32_t stopped;
    int fds[HS_SMTP_SOCKETS_MAX]; /* -1: free place */
} hs_smtp_sockets;

/* Start with none. Returns APR_SUCCESS or why there is no lock. */
apr_status_t hs_smtp_sockets_init(hs_smtp_sockets *sockets, apr_pool_t *pool);

/* socket(), for the thread that sends. `unanswered_ms`: how long the peer may leave octets of ours
 * unacknowledged or its window closed; a slow answer to what it took is something else. -1 where
 * there is none, or after a stop. */
int hs_smtp_sockets_open(hs_smtp_sockets *sockets, int family, int protocol,
                         unsigned int unanswered_ms);

/* close(). Thread: the one that sends. */
int hs_smtp_sockets_close(hs_smtp_sockets *sockets, int fd);

/* Shut all down and let none be opened any more; whether that was done. Thread: any. */
void hs_smtp_sockets_stop(hs_smtp_sockets *sockets);
int hs_smtp_sockets_is_stopped(hs_smtp_sockets *sockets);

#endif
