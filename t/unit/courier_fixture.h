/* courier_fixture.h - a store, a scripted relay (t/lib/scripted-smtp.py) and a courier between
 * them; tests that use it run in the top folder. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COURIER_FIXTURE_H
#define COURIER_FIXTURE_H

#include "hs_courier.h"

#include "store_fixture.h"

#include <apr_file_info.h>
#include <apr_thread_proc.h>

#include <pthread.h>

#define SITE "www.example.com"
#define LOG_OCTETS 65536

/* A relay that runs as a child process. */
typedef struct relay {
    apr_proc_t server;
    const char *folder;
    int port;
} relay;

typedef struct station {
    fixture db;
    apr_pool_t *pool;
    apr_array_header_t *sites; /* of hs_courier_site */
    hs_courier_opts opts;
    hs_courier *courier;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards the log */
    char log[LOG_OCTETS];
} station;

static const hs_mailbox station_from = {"Help", "help@desk.example"};
static const hs_mailbox station_reply_to = {NULL, "support@desk.example"};

/* What a test can't do without. */
static inline void station_need(int ok, const char *what)
{
    if (!ok) {
        printf("Bail out! %s\n", what);
        exit(1);
    }
}

/* ---- the relay ---- */

/* By rename, so that the server never reads half of it. */
static inline void relay_rules(const station *s, const relay *r, const char *rules)
{
    const char *path = apr_pstrcat(s->pool, r->folder, "/rules", NULL);
    const char *next = apr_pstrcat(s->pool, path, ".new", NULL);
    FILE *file = fopen(next, "w");

    if (!file || fputs(rules, file) < 0 || fclose(file) || rename(next, path)) {
        puts("Bail out! no rules");
        exit(1);
    }
}

/* `port` 0: any. */
static inline void relay_start(station *s, relay *r, const char *rules, int port)
{
    const char *args[] = {"t/lib/scripted-smtp.py", "--port", apr_itoa(s->pool, port), NULL, NULL};
    char path[] = "/tmp/hs-relay-XXXXXX";
    char line[64] = "";
    apr_procattr_t *attributes;

    r->folder = apr_pstrdup(s->pool, mkdtemp(path));
    args[3] = r->folder;
    relay_rules(s, r, rules);
    apr_procattr_create(&attributes, s->pool);
    apr_procattr_io_set(attributes, APR_FULL_BLOCK, APR_FULL_BLOCK, APR_NO_PIPE);
    apr_procattr_cmdtype_set(attributes, APR_PROGRAM_ENV);
    if (apr_proc_create(&r->server, args[0], args, NULL, attributes, s->pool) ||
        apr_file_gets(line, sizeof(line), r->server.out) ||
        sscanf(line, "ready %d", &r->port) != 1) {
        puts("Bail out! t/lib/scripted-smtp.py does not start");
        exit(1);
    }
}

static inline void relay_stop(station *s, relay *r)
{
    static const char *const names[] = {"rules", "port", "events.jsonl", "mails.jsonl"};
    int status;
    apr_exit_why_e why;

    apr_file_close(r->server.in);
    apr_proc_wait(&r->server, &status, &why, APR_WAIT);
    for (apr_size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        apr_file_remove(apr_pstrcat(s->pool, r->folder, "/", names[i], NULL), s->pool);
    }
    apr_dir_remove(r->folder, s->pool);
}

static inline char *relay_read(const station *s, const relay *r, const char *name)
{
    apr_file_t *file;
    apr_finfo_t info;
    char *text;

    if (apr_file_open(&file, apr_pstrcat(s->pool, r->folder, "/", name, NULL), APR_READ,
                      APR_OS_DEFAULT, s->pool) ||
        apr_file_info_get(&info, APR_FINFO_SIZE, file)) {
        return apr_pstrdup(s->pool, "");
    }
    text = apr_pcalloc(s->pool, (apr_size_t)info.size + 1);
    (void)apr_file_read_full(file, text, (apr_size_t)info.size, NULL);
    apr_file_close(file);
    return text;
}

static inline int relay_count(const station *s, const relay *r, const char *name, const char *piece)
{
    const char *at = relay_read(s, r, name);
    int found = 0;

    while ((at = strstr(at, piece))) {
        at += strlen(piece);
        found++;
    }
    return found;
}

static inline int relay_mails(const station *s, const relay *r)
{
    return relay_count(s, r, "mails.jsonl", "\"data\": ");
}

/* ---- the database ---- */

/* Run SQL beside the program; returns the first value, or "". */
static inline const char *station_sql(const station *s, const char *sql)
{
    if (strncmp(sql, "SELECT", 6) == 0) {
        return fixture_ask(&s->db, sql);
    }
    for (int i = 0; !fixture_does(&s->db, sql); i++) { /* the courier may be writing */
        station_need(i < 500, sql);
        apr_sleep(10000);
    }
    return "";
}

static inline void station_submit(const station *s, const char *email, const char *site)
{
    hs_submit *what = fixture_submission("user", s->pool);
    int replayed;

    what->ticket->email = email;
    what->site = site;
    if (!fixture_worked(hs_store_submit(s->db.store, what, &replayed, s->pool))) {
        exit(1);
    }
}

static inline void station_submit_many(const station *s, int count, const char *site)
{
    for (int i = 0; i < count; i++) {
        station_submit(s, apr_psprintf(s->pool, "u%d@example.com", i), site);
    }
}

/* The first value of a query as a number. */
static inline long station_number(const station *s, const char *sql)
{
    return strtol(station_sql(s, sql), NULL, 10);
}

/* Wait until a query that counts gives `want`. Returns whether it did within 15 s. */
static inline int station_comes_to(const station *s, const char *sql, int want)
{
    for (int i = 0; i < 1500; i++) {
        if (station_number(s, sql) == want) {
            return 1;
        }
        apr_sleep(10000);
    }
    printf("# %s: %s\n", sql, station_sql(s, sql));
    printf("# %s\n", station_sql(s, "SELECT min(state || ' ' || detail) FROM mail"));
    return 0;
}

static inline int station_sends(const station *s, int want)
{
    return station_comes_to(s, "SELECT count(*) FROM mail WHERE state = 'sent'", want);
}

/* ---- the courier ---- */

static inline void station_log(void *baton, hs_courier_level level, const char *text)
{
    station *s = baton;
    size_t length;

    pthread_mutex_lock(&s->mutex);
    length = strlen(s->log);
    snprintf(s->log + length, sizeof(s->log) - length, "%d: %s\n", (int)level, text);
    pthread_mutex_unlock(&s->mutex);
}

static inline int station_has_logged(station *s, const char *piece)
{
    int found;

    pthread_mutex_lock(&s->mutex);
    found = strstr(s->log, piece) != NULL;
    if (!found) {
        printf("# no \"%s\" in: %s\n", piece, s->log);
    }
    pthread_mutex_unlock(&s->mutex);
    return found;
}

static inline hs_courier_site *station_add_site(station *s, const char *name, int port,
                                                const char *folder)
{
    hs_confirmation_opts look = {
        .folder = folder, .site_name = name, .from = &station_from, .reply_to = &station_reply_to};
    hs_courier_site *site = apr_array_push(s->sites);

    memset(site, 0, sizeof(*site));
    site->name = name;
    site->relay.url = apr_psprintf(s->pool, "smtp://127.0.0.1:%d", port);
    site->relay.connect_timeout_s = 2;
    site->from = &station_from;
    site->reply_to = &station_reply_to;
    site->bounce = "";
    site->max_age_us = apr_time_from_sec(48 * 3600);
    if (!fixture_worked(hs_confirmation_load(&site->templates, &look, s->pool))) {
        exit(1);
    }
    return site;
}

static inline void station_open(station *s, apr_pool_t *parent)
{
    memset(s, 0, sizeof(*s));
    pthread_mutex_init(&s->mutex, NULL);
    fixture_open(&s->db, parent);
    apr_pool_create(&s->pool, parent);
    s->sites = apr_array_make(s->pool, 4, sizeof(hs_courier_site));
    s->opts = (hs_courier_opts){.host = "node",
                                .connections = 4,
                                .poll_us = apr_time_from_msec(200),
                                .log = station_log,
                                .log_baton = s};
}

static inline void *station_run(void *data)
{
    hs_courier_run(((station *)data)->courier);
    return NULL;
}

static inline void station_start(station *s)
{
    if (!fixture_worked(hs_courier_create(&s->courier, &s->opts, s->db.store, s->sites, s->pool))) {
        exit(1);
    }
    pthread_create(&s->thread, NULL, station_run, s);
}

/* Returns how many milliseconds that took. */
static inline int station_stop(station *s, int drain_ms)
{
    apr_time_t start = apr_time_now();

    hs_courier_stop(s->courier, apr_time_from_msec(drain_ms));
    pthread_join(s->thread, NULL);
    return (int)apr_time_as_msec(apr_time_now() - start);
}

static inline void station_close(station *s)
{
    apr_pool_destroy(s->pool);
    fixture_close(&s->db);
    pthread_mutex_destroy(&s->mutex);
}

#endif
