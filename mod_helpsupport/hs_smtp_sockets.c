/* hs_smtp_sockets.c - layer 2: the sockets of one relay connection, and how to stop them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_smtp_sockets.h"

#include <apr_atomic.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

apr_status_t hs_smtp_sockets_init(hs_smtp_sockets *sockets, apr_pool_t *pool)
{
    memset(sockets->fds, -1, sizeof(sockets->fds));
    apr_atomic_set32(&sockets->stopped, 0);
    return apr_thread_mutex_create(&sockets->lock, APR_THREAD_MUTEX_DEFAULT, pool);
}

/* Put `to` where `from` is; returns 0 where it is nowhere. */
static int replace(hs_smtp_sockets *sockets, int from, int to)
{
    int i;

    for (i = 0; i < HS_SMTP_SOCKETS_MAX; i++) {
        if (sockets->fds[i] == from) {
            sockets->fds[i] = to;
            return 1;
        }
    }
    return 0;
}

int hs_smtp_sockets_open(hs_smtp_sockets *sockets, int family, int protocol,
                         unsigned int unanswered_ms)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, protocol);
    int is_kept;

    if (fd < 0) {
        return -1;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered_ms, sizeof(unanswered_ms));
    apr_thread_mutex_lock(sockets->lock);
    is_kept = !hs_smtp_sockets_is_stopped(sockets) && replace(sockets, -1, fd);
    apr_thread_mutex_unlock(sockets->lock);
    if (!is_kept) {
        close(fd);
        return -1;
    }
    return fd;
}

int hs_smtp_sockets_close(hs_smtp_sockets *sockets, int fd)
{
    int status;

    apr_thread_mutex_lock(sockets->lock);
    (void)replace(sockets, fd, -1);
    status = close(fd);
    apr_thread_mutex_unlock(sockets->lock);
    return status;
}

void hs_smtp_sockets_stop(hs_smtp_sockets *sockets)
{
    int i;

    apr_thread_mutex_lock(sockets->lock);
    apr_atomic_set32(&sockets->stopped, 1);
    for (i = 0; i < HS_SMTP_SOCKETS_MAX; i++) {
        if (sockets->fds[i] >= 0) {
            (void)shutdown(sockets->fds[i], SHUT_RDWR);
        }
    }
    apr_thread_mutex_unlock(sockets->lock);
}

int hs_smtp_sockets_is_stopped(hs_smtp_sockets *sockets)
{
    return apr_atomic_read32(&sockets->stopped) != 0;
}
