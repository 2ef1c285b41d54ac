/* hs_sender.c - layer 13: the mail process: forked, watched and ended by httpd's parent. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_sender.h"

#include "hs_clock.h"
#include "hs_log.h"
#include "hs_sender_site.h"

#include <ap_listen.h>
#include <ap_mpm.h>
#include <apr_portable.h>
#include <apr_strings.h>
#include <http_core.h>
#include <mpm_common.h>
#include <unixd.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACEFUL_DRAIN_US apr_time_from_sec(10)
#define STOP_DRAIN_US apr_time_from_sec(1) /* httpd's own stop sends SIGKILL after some 9 s */
#define RESTART_PATIENCE_US apr_time_from_msec(200)
#define HANGS_US apr_time_from_sec(5)        /* longer than that after its time no thread ends */
#define DIES_AT_ONCE_US apr_time_from_sec(5) /* httpd looks for dead children once a second */
#define PAUSE_MAX_S 32
#define LOOK_AROUND_US apr_time_from_sec(1)
#define DRAIN_LOOK_US apr_time_from_msec(10)

typedef struct hs_sender sender;

/* One generation of the sender, in pconf: the parent's side. */
struct hs_sender {
    server_rec *main_server;
    apr_pool_t *pconf;
    apr_file_t *wake_read;
    apr_proc_t process;
    apr_time_t started_us;
    int pause_s;        /* before it works */
    apr_time_t fork_at; /* the system had no process for it: when to try again; 0: it has one */
    int fork_pause_s;   /* what that time came after */
};

/* ---- the process itself ---- */

/* What signals ask for; the only thing that a handler may touch. */
static volatile sig_atomic_t stop_wanted;
static volatile sig_atomic_t drain_wanted;

static void on_signal(int signal_number)
{
    if (signal_number == SIGUSR1) {
        drain_wanted = 1;
    } else {
        stop_wanted = 1;
    }
}

/* httpd sends SIGTERM or SIGHUP to its whole process group when it stops or restarts at once;
 * SIGUSR1 is what the parent's side below sends for a graceful end. All are blocked, in the threads
 * made later too, except while wait_for_wake waits: so none is missed between a look at the flags
 * and the wait. */
static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
    action.sa_handler = SIG_DFL;
    sigaction(SIGCHLD, &action, NULL);
}

static void empty_pipe(int fd)
{
    char bytes[512];

    while (read(fd, bytes, sizeof(bytes)) > 0) {
    }
}

/* Wait for a byte in the pipe, a signal or so long, whichever comes first. Returns whether there
 * was a byte. */
static int wait_for_wake(int fd, apr_interval_time_t longest_us)
{
    struct pollfd item = {.fd = fd, .events = POLLIN};
    struct timespec longest = {.tv_sec = (time_t)apr_time_sec(longest_us),
                               .tv_nsec = (long)apr_time_usec(longest_us) * 1000};
    sigset_t none;

    sigemptyset(&none);
    if (ppoll(&item, 1, &longest, &none) <= 0 || !(item.revents & POLLIN)) {
        return 0;
    }
    empty_pipe(fd);
    return 1;
}

/* An orphan would keep the lock, and its mails, from the sender of the next httpd. */
static int parent_is_gone(pid_t parent)
{
    return getppid() != parent;
}

static int must_end(pid_t parent)
{
    return stop_wanted || drain_wanted || parent_is_gone(parent);
}

/* A sender that died at once is started again later and later, so that neither a core nor the log
 * is kept busy. */
static void pause_first(int seconds, int wake_fd, pid_t parent)
{
    apr_time_t until = hs_clock_now() + apr_time_from_sec(seconds);

    while (hs_clock_now() < until && !must_end(parent)) {
        wait_for_wake(wake_fd, LOOK_AROUND_US);
    }
}

/* Returns when all couriers and the threads that keep the index have come to their end, or hang:
 * leases cover what couriers leave, and a transaction that is not committed is undone. */
static void drain(apr_array_header_t *sites, int wake_fd)
{
    apr_interval_time_t longest = drain_wanted && !stop_wanted ? GRACEFUL_DRAIN_US : STOP_DRAIN_US;
    apr_time_t last = hs_clock_now() + longest + HANGS_US;

    hs_sender_sites_stop(sites, longest);
    while (hs_sender_sites_are_running(sites) && hs_clock_now() < last) {
        wait_for_wake(wake_fd, DRAIN_LOOK_US);
        if (stop_wanted && longest != STOP_DRAIN_US) {
            longest = STOP_DRAIN_US;
            last = hs_clock_now() + longest + HANGS_US;
            hs_sender_sites_stop(sites, longest);
        }
    }
}

static void work(apr_array_header_t *sites, int wake_fd, pid_t parent)
{
    while (!must_end(parent)) {
        hs_sender_sites_start(sites);
        if (wait_for_wake(wake_fd, LOOK_AROUND_US)) {
            hs_sender_sites_wake(sites);
        }
    }
    drain(sites, wake_fd);
}

static void run(sender *s, pid_t parent)
{
    apr_pool_t *pool;
    apr_array_header_t *sites;
    int wake_fd;

    catch_signals();
    ap_close_listeners();
    apr_os_file_get(&wake_fd, s->wake_read);
    pause_first(s->pause_s, wake_fd, parent);
    if (must_end(parent)) {
        _exit(0);
    }
    apr_pool_create(&pool, NULL);
    apr_pool_tag(pool, "helpsupport_sender");
    sites = hs_sender_sites_open(s->main_server, pool); /* logins and locks are root's to open */
    if (!sites || ap_run_drop_privileges(pool, s->main_server) != OK) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s->main_server,
                     "HS0040: the mail sender can't start; mails wait until it can");
        _exit(APEXIT_INIT);
    }
    if (hs_sender_sites_attach(sites, s->main_server, pool) == APR_SUCCESS) {
        work(sites, wake_fd, parent);
    }
    /* not exit(): the handlers that this DSO and OpenSSL registered belong to the parent */
    _exit(0);
}

/* ---- the parent's side ---- */

static void watch(int reason, void *data, apr_wait_t status);

static int longer(int pause_s)
{
    if (pause_s == 0) {
        return 1;
    }
    return pause_s < PAUSE_MAX_S ? pause_s * 2 : pause_s;
}

static void spawn(sender *s)
{
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid < 0) {
        s->fork_pause_s = longer(s->fork_pause_s);
        s->fork_at = hs_clock_now() + apr_time_from_sec(s->fork_pause_s);
        ap_log_error(APLOG_MARK, APLOG_CRIT, errno, s->main_server,
                     "HS0041: no process for the mail sender; mails wait; trying again in %d s",
                     s->fork_pause_s);
        return;
    }
    if (pid == 0) {
        run(s, parent);
    }
    s->fork_at = 0;
    s->fork_pause_s = 0;
    s->process.pid = pid;
    s->started_us = hs_clock_now();
    apr_proc_other_child_register(&s->process, watch, s, NULL, s->pconf);
}

void hs_sender_tend(hs_node *node)
{
    sender *s = node->sender;

    if (s && s->fork_at && hs_clock_now() >= s->fork_at) {
        spawn(s);
    }
}

static int next_pause(const sender *s)
{
    apr_interval_time_t lived = hs_clock_now() - s->started_us - apr_time_from_sec(s->pause_s);

    return lived >= DIES_AT_ONCE_US ? 0 : longer(s->pause_s);
}

static int is_stopping(void)
{
    int state = AP_MPMQ_STOPPING;

    return ap_mpm_query(AP_MPMQ_MPM_STATE, &state) == APR_SUCCESS && state == AP_MPMQ_STOPPING;
}

/* httpd tells what became of the process. */
static void watch(int reason, void *data, apr_wait_t status)
{
    sender *s = data;

    switch (reason) {
    case APR_OC_REASON_DEATH:
    case APR_OC_REASON_LOST:
        apr_proc_other_child_unregister(s);
        s->process.pid = 0;
        if (!is_stopping()) {
            ap_log_error(APLOG_MARK, APLOG_ERR, 0, s->main_server,
                         "HS0042: the mail sender died (wait status %d); starting it again",
                         status);
            s->pause_s = next_pause(s);
            spawn(s);
        }
        break;
    case APR_OC_REASON_RESTART: /* httpd stops, or restarts at once */
        apr_proc_other_child_unregister(s);
        kill(s->process.pid, ap_unixd_mpm_get_retained_data()->is_ungraceful ? SIGTERM : SIGUSR1);
        break;
    default:
        break;
    }
}

/* How long to wait for the sender to end. At a restart hardly: an idle one is gone in milliseconds
 * and reaped here, one that is sending goes on alone while the next waits for its lock. When httpd
 * ends, as long as the sender may drain: a container or systemd kills what outlives httpd, and
 * mails that were cut off go out twice. */
static apr_interval_time_t patience(void)
{
    return ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_EXITING ? GRACEFUL_DRAIN_US
                                                                : RESTART_PATIENCE_US;
}

/* The configuration ends, and with it the watch, which was registered later and so is over already;
 * to end what isn't registered is a crash in APR. */
static apr_status_t end(void *data)
{
    sender *s = data;
    apr_time_t until = hs_clock_now() + patience();

    if (!s->process.pid) {
        return APR_SUCCESS;
    }
    kill(s->process.pid, SIGUSR1);
    while (waitpid(s->process.pid, NULL, WNOHANG) == 0 && hs_clock_now() < until) {
        apr_sleep(DRAIN_LOOK_US);
    }
    return APR_SUCCESS;
}

int hs_sender_start(hs_node *node, server_rec *main_server, apr_pool_t *pconf)
{
    sender *s = apr_pcalloc(pconf, sizeof(*s));

    if (!hs_sender_site_count(main_server)) {
        return OK;
    }
    s->main_server = main_server;
    s->pconf = pconf;
    if (apr_file_pipe_create_ex(&s->wake_read, &node->wake, APR_FULL_NONBLOCK, pconf) !=
        APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, errno, main_server,
                     "HS0043: no pipe for the mail sender");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    apr_file_inherit_unset(s->wake_read); /* nobody's who runs another program */
    apr_file_inherit_unset(node->wake);
    apr_pool_cleanup_register(pconf, s, end, apr_pool_cleanup_null);
    node->sender = s;
    spawn(s);
    return OK;
}

void hs_sender_wake(void *node)
{
    apr_size_t length = 1;

    apr_file_write(((const hs_node *)node)->wake, "", &length);
}
