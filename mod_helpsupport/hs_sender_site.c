/* hs_sender_site.c - layer 12: what the mail process works on: each database's mails and index. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_sender_site.h"

#include "hs_indexer.h"
#include "hs_log.h"

#include <apr_hash.h>
#include <apr_network_io.h>
#include <apr_portable.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOGIN_MAX 512
#define POLL_US apr_time_from_sec(1)

typedef struct desk desk;

/* A thread of a desk. */
typedef struct worker {
    void (*run)(desk *d);
    desk *desk;
    apr_thread_t *thread; /* NULL: not started, or joined */
    atomic_int is_running;
} worker;

/* A database, its mails and its index of words. */
struct desk {
    const hs_server_config
        *server; /* the first of those that share the database: its HelpSupportDB */
    server_rec *main_server;
    apr_array_header_t *sites; /* of hs_courier_site */
    const char *lock_path;
    int lock_fd;
    hs_courier *courier; /* NULL where no server sends mail */
    hs_indexer *indexer;
    apr_pool_t *pool;
    int has_started;
    worker sending;
    worker indexing;
};

int hs_sender_site_count(const server_rec *main_server)
{
    int count = 0;

    for (const server_rec *s = main_server; s; s = s->next) {
        count += hs_config_server(s)->db.driver != NULL;
    }
    return count;
}

/* ---- opening, as the user who starts httpd ---- */

static int same_database(const hs_server_config *a, const hs_server_config *b)
{
    return !strcmp(a->db.driver, b->db.driver) && !strcmp(a->db.params, b->db.params);
}

/* A name for the database that is the same at each restart and differs between databases. The file
 * lies in the runtime folder, which two httpds of one machine do not share. */
static const char *lock_path(const hs_server_config *server, apr_pool_t *pool)
{
    apr_ssize_t length = APR_HASH_KEY_STRING;
    const char *key = apr_pstrcat(pool, server->db.driver, " ", server->db.params, NULL);

    return ap_runtime_dir_relative(
        pool, apr_psprintf(pool, "helpsupport-%08x.lock", apr_hashfunc_default(key, &length)));
}

/* The journal in it is written as root: so it must be a plain file of ours, not what somebody has
 * put in its place where the runtime folder is everyone's. */
static int open_lock(const char *path)
{
    struct stat found;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd >= 0 && (fstat(fd, &found) != 0 || !S_ISREG(found.st_mode) ||
                    found.st_uid != geteuid() || found.st_nlink != 1)) {
        close(fd);
        errno = EPERM;
        return -1;
    }
    return fd;
}

static desk *make_desk(const hs_server_config *server, server_rec *main_server, apr_pool_t *pool)
{
    desk *d = apr_pcalloc(pool, sizeof(*d));
    const char *path = lock_path(server, pool);

    d->server = server;
    d->main_server = main_server;
    d->sites = apr_array_make(pool, 2, sizeof(hs_courier_site));
    d->lock_path = path;
    d->lock_fd = open_lock(path);
    apr_pool_create(&d->pool, pool);
    if (d->lock_fd < 0) {
        ap_log_error(
            APLOG_MARK, APLOG_CRIT, errno, main_server,
            "HS0050: %s can't be opened, or is no file of this user's: check DefaultRuntimeDir",
            path);
        return NULL;
    }
    return d;
}

static desk *desk_for(apr_array_header_t *desks, const hs_server_config *server,
                      server_rec *main_server, apr_pool_t *pool)
{
    desk *d;

    for (int i = 0; i < desks->nelts; i++) {
        d = APR_ARRAY_IDX(desks, i, desk *);
        if (same_database(d->server, server)) {
            return d;
        }
    }
    d = make_desk(server, main_server, pool);
    if (d) {
        APR_ARRAY_PUSH(desks, desk *) = d;
    }
    return d;
}

/* Read "user:password" from the first line of the login file. */
static int read_login(hs_smtp_opts *relay, const char *file, server_rec *s, apr_pool_t *pool)
{
    char line[LOGIN_MAX] = "";
    apr_file_t *f;
    char *colon;
    apr_status_t rv = apr_file_open(&f, file, APR_READ, APR_OS_DEFAULT, pool);

    if (rv == APR_SUCCESS) {
        rv = apr_file_gets(line, sizeof(line), f);
        apr_file_close(f);
    }
    if (rv != APR_SUCCESS || strlen(line) == sizeof(line) - 1) {
        line[0] = '\0';
    }
    line[strcspn(line, "\r\n")] = '\0';
    colon = strchr(line, ':');
    if (!colon) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s,
                     "HS0051: HelpSupportMailLogin %s must hold one line user:password", file);
        return 0;
    }
    relay->user = apr_pstrmemdup(pool, line, (apr_size_t)(colon - line));
    relay->password = apr_pstrdup(pool, colon + 1);
    return 1;
}

static int add_site(desk *d, server_rec *s, apr_pool_t *pool)
{
    const hs_mail_config *mail = &hs_config_server(s)->mail;
    hs_courier_site *site;

    for (int i = 0; i < d->sites->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(d->sites, i, hs_courier_site).name, s->server_hostname)) {
            return 1; /* the same name on another port */
        }
    }
    site = apr_array_push(d->sites);
    memset(site, 0, sizeof(*site));
    site->name = s->server_hostname;
    site->relay.url = mail->server_url;
    site->relay.ehlo_name = s->server_hostname;
    site->from = mail->from;
    site->reply_to = mail->reply_to;
    site->bounce = mail->bounce;
    site->templates = mail->templates;
    site->max_age_us = mail->max_age_us;
    site->limits = mail->limits;
    return !mail->login_file || read_login(&site->relay, mail->login_file, s, pool);
}

apr_array_header_t *hs_sender_sites_open(server_rec *main_server, apr_pool_t *pool)
{
    apr_array_header_t *desks = apr_array_make(pool, 1, sizeof(desk *));

    for (server_rec *s = main_server; s; s = s->next) {
        const hs_server_config *server = hs_config_server(s);
        desk *d;

        if (!server->db.driver) {
            continue;
        }
        d = desk_for(desks, server, main_server, pool);
        if (!d || (hs_config_sends_mail(server) && !add_site(d, s, pool))) {
            return NULL;
        }
    }
    return desks;
}

/* ---- with the privileges dropped ---- */

static void log_line(void *baton, hs_courier_level level, const char *text)
{
    const server_rec *s = baton;

    switch (level) {
    case HS_COURIER_ERROR:
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s, "HS0052: %s", text);
        break;
    case HS_COURIER_WARNING:
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, "HS0053: %s", text);
        break;
    case HS_COURIER_INFO:
    default:
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, s, "HS0054: %s", text);
        break;
    }
}

/* HelpSupportMailConnections is the node's, so several databases share it. */
static int connections_each(const server_rec *main_server, int desks)
{
    int connections = hs_config_mail_connections(hs_config_server(main_server)) / desks;

    return connections > 0 ? connections : 1;
}

static const char *host_name(apr_pool_t *pool)
{
    char host[APRMAXHOSTLEN + 1] = "localhost";

    apr_gethostname(host, sizeof(host), pool);
    return apr_pstrdup(pool, host);
}

static void log_trouble(void *baton, const char *text)
{
    ap_log_error(APLOG_MARK, APLOG_ERR, 0, (const server_rec *)baton, "HS0057: %s", text);
}

static hs_error *open_courier(desk *d, hs_store *store, int connections)
{
    hs_courier_opts opts = {.host = host_name(d->pool),
                            .connections = connections,
                            .poll_us = POLL_US,
                            .journal_fd = d->lock_fd,
                            .log = log_line,
                            .log_baton = d->main_server};

    return hs_courier_create(&d->courier, &opts, store, d->sites, d->pool);
}

static hs_error *open_desk(desk *d, int connections)
{
    hs_db_opts *db = apr_pmemdup(d->pool, &d->server->db, sizeof(*db));
    hs_store *store;
    hs_error *error;

    if (db->max < 2) {
        db->max = 2; /* mails don't wait while words are moved */
    }
    error = hs_store_create(&store, db, NULL, NULL, d->pool);
    if (!error) {
        error = hs_indexer_create(&d->indexer, store, log_trouble, d->main_server, d->pool);
    }
    if (!error && d->sites->nelts > 0) {
        error = open_courier(d, store, connections);
    }
    return error;
}

apr_status_t hs_sender_sites_attach(apr_array_header_t *sites, server_rec *main_server,
                                    apr_pool_t *pool)
{
    hs_node *node = hs_config_server(main_server)->node;
    hs_error *error = hs_smtp_init(pool);
    apr_status_t rv = apr_global_mutex_child_init(&node->write_turn, node->write_turn_file, pool);

    for (int i = 0; i < sites->nelts && !error; i++) {
        error =
            open_desk(APR_ARRAY_IDX(sites, i, desk *), connections_each(main_server, sites->nelts));
    }
    if (error || rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, main_server,
                     "HS0055: the mail sender can't start: %s",
                     error ? error->text : "the mutex can't be attached, see the Mutex directive");
        return APR_EGENERAL;
    }
    return APR_SUCCESS;
}

static void run_courier(desk *d)
{
    hs_courier_run(d->courier);
}

static void run_indexer(desk *d)
{
    hs_indexer_run(d->indexer);
}

static void *APR_THREAD_FUNC worker_thread(apr_thread_t *thread, void *data)
{
    worker *w = data;

    w->run(w->desk);
    atomic_store(&w->is_running, 0);
    apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

/* Somebody may have tidied the file away while the former generation held it: its lock is then not
 * ours, and whoever comes next would lock yet another file. */
static int has_lock(const desk *d)
{
    struct stat ours;
    struct stat theirs;

    return flock(d->lock_fd, LOCK_EX | LOCK_NB) == 0 && fstat(d->lock_fd, &ours) == 0 &&
           (stat(d->lock_path, &theirs) != 0 ||
            (ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev));
}

static int start_worker(desk *d, worker *w, void (*run)(desk *d))
{
    if (w->thread) {
        return 1;
    }
    w->run = run;
    w->desk = d;
    atomic_store(&w->is_running, 1);
    if (apr_thread_create(&w->thread, NULL, worker_thread, w, d->pool) == APR_SUCCESS) {
        return 1;
    }
    w->thread = NULL;
    atomic_store(&w->is_running, 0);
    ap_log_error(APLOG_MARK, APLOG_CRIT, 0, d->main_server,
                 "HS0056: no thread for the mail process; trying again");
    return 0;
}

void hs_sender_sites_start(apr_array_header_t *sites)
{
    for (int i = 0; i < sites->nelts; i++) {
        desk *d = APR_ARRAY_IDX(sites, i, desk *);

        if (!d->has_started && has_lock(d)) {
            d->has_started = (!d->courier || start_worker(d, &d->sending, run_courier)) &&
                             start_worker(d, &d->indexing, run_indexer);
        }
    }
}

void hs_sender_sites_wake(apr_array_header_t *sites)
{
    for (int i = 0; i < sites->nelts; i++) {
        desk *d = APR_ARRAY_IDX(sites, i, desk *);

        hs_indexer_wake(d->indexer);
        if (d->courier) {
            hs_courier_wake(d->courier);
        }
    }
}

void hs_sender_sites_stop(apr_array_header_t *sites, apr_interval_time_t drain_us)
{
    for (int i = 0; i < sites->nelts; i++) {
        desk *d = APR_ARRAY_IDX(sites, i, desk *);

        hs_indexer_stop(d->indexer);
        if (d->courier) {
            hs_courier_stop(d->courier, drain_us);
        }
    }
}

/* Whether it runs; joins it when it has come to its end. */
static int is_running(worker *w)
{
    apr_status_t rv;

    if (atomic_load(&w->is_running)) {
        return 1;
    }
    if (w->thread) {
        apr_thread_join(&rv, w->thread);
        w->thread = NULL;
    }
    return 0;
}

int hs_sender_sites_are_running(apr_array_header_t *sites)
{
    int running = 0;

    for (int i = 0; i < sites->nelts; i++) {
        desk *d = APR_ARRAY_IDX(sites, i, desk *);

        running += is_running(&d->sending) + is_running(&d->indexing);
    }
    return running > 0;
}
