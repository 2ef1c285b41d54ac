/* courier_bench.c - how fast mails get from the outbox to a relay. */
/* SPDX-License-Identifier: Apache-2.0 */

/*     courier_bench MAILS [CONNECTIONS [DOT_MS]]
 *
 * fills a new SQLite database with that many tickets, then lets a courier with CONNECTIONS (4)
 * sender threads deliver their mails to a sink, a process of its own that answers each final dot
 * after DOT_MS (0). Prints mails a second from the first claim to the last result stored, the time
 * from a commit to MAIL FROM when idle, and how much memory the courier's process takes on the way.
 * Run in the top folder (it uses templates/). Exit status 1 unless every mail was sent. */

#include "hs_courier.h"
#include "hs_store.h"

#include <apr_general.h>
#include <apr_strings.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define FILLERS 32
#define LATENCY_MAILS 100
#define MEDIAN 50
#define P90 90
#define P99 99
#define SITE "desk.example"

/* What the sink tells the bench. */
typedef struct shared {
    atomic_int mails;
    _Atomic(apr_int64_t) last_mail_from;
} shared;

typedef struct bench {
    hs_store *store;
    shared *sink;
    int dot_ms;
    int listener;
    int port;
    atomic_int to_fill;
    hs_courier *courier;
    apr_pool_t *pool;
} bench;

static void give_up(const char *why)
{
    fprintf(stderr, "courier_bench: %s\n", why);
    _exit(1);
}

/* ---- the sink ---- */

static void say(FILE *out, const char *reply)
{
    fputs(reply, out);
    fflush(out);
}

static void take_body(bench *b, FILE *in, FILE *out)
{
    char line[4096];

    while (fgets(line, sizeof(line), in) && strcmp(line, ".\r\n") != 0) {
    }
    if (b->dot_ms) {
        apr_sleep(apr_time_from_msec(b->dot_ms));
    }
    atomic_fetch_add(&b->sink->mails, 1);
    say(out, "250 2.0.0 Ok: queued\r\n");
}

typedef struct session {
    bench *b;
    int fd;
} session;

static void *serve(void *data)
{
    session *self = data;
    FILE *in = fdopen(self->fd, "r");
    FILE *out = fdopen(dup(self->fd), "w");
    char line[4096];

    say(out, "220 sink.example ESMTP\r\n");
    while (fgets(line, sizeof(line), in)) {
        if (strncmp(line, "EHLO", 4) == 0) {
            say(out, "250-sink.example\r\n250 SIZE 10000000\r\n");
        } else if (strncmp(line, "MAIL", 4) == 0) {
            atomic_store(&self->b->sink->last_mail_from, apr_time_now());
            say(out, "250 2.1.0 Ok\r\n");
        } else if (strncmp(line, "DATA", 4) == 0) {
            say(out, "354 go on\r\n");
            take_body(self->b, in, out);
        } else {
            say(out, line[0] == 'Q' ? "221 bye\r\n" : "250 Ok\r\n");
        }
    }
    fclose(in);
    fclose(out);
    free(self);
    return NULL;
}

static void run_sink(bench *b)
{
    int one = 1;

    for (;;) {
        session *next = malloc(sizeof(*next));
        pthread_t thread;

        next->b = b;
        next->fd = accept(b->listener, NULL, NULL);
        setsockopt(next->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        pthread_create(&thread, NULL, serve, next);
        pthread_detach(thread);
    }
}

static pid_t start_sink(bench *b)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    pid_t pid;

    b->sink =
        mmap(NULL, sizeof(*b->sink), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    b->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(b->listener, (struct sockaddr *)&address, sizeof(address)) ||
        listen(b->listener, 128) ||
        getsockname(b->listener, (struct sockaddr *)&address, &length)) {
        give_up("no socket for the sink");
    }
    b->port = ntohs(address.sin_port);
    pid = fork();
    if (pid == 0) {
        run_sink(b);
    }
    return pid;
}

/* ---- tickets ---- */

static void stop_on(const hs_error *error)
{
    if (error) {
        give_up(error->text);
    }
}

static void submit(bench *b, int number, apr_pool_t *pool)
{
    hs_ticket ticket = {.user_id = "bench", .name = "Jane Doe", .phone_number = "+1234567890"};
    hs_submit what = {.ticket = &ticket, .site = SITE, .language = "en"};
    char *id = apr_palloc(pool, HS_UUID_SIZE);
    int replayed;

    if (!hs_uuid_make(id, apr_time_now())) {
        give_up("no random octets");
    }
    ticket.id = id;
    ticket.email = apr_psprintf(pool, "user%d@d%d.example", number, number % 1000);
    ticket.message = "I'm having trouble connecting my database.";
    stop_on(hs_store_submit(b->store, &what, &replayed, pool));
}

static void *fill(void *data)
{
    bench *b = data;
    apr_pool_t *pool;
    int number;

    apr_pool_create(&pool, NULL);
    while ((number = atomic_fetch_sub(&b->to_fill, 1)) > 0) {
        submit(b, number, pool);
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
    return NULL;
}

static void fill_outbox(bench *b, int mails)
{
    pthread_t threads[FILLERS];
    apr_time_t start = apr_time_now();

    atomic_store(&b->to_fill, mails);
    for (int i = 0; i < FILLERS; i++) {
        pthread_create(&threads[i], NULL, fill, b);
    }
    for (int i = 0; i < FILLERS; i++) {
        pthread_join(threads[i], NULL);
    }
    printf("%d tickets stored in %.1f s\n", mails,
           (double)(apr_time_now() - start) / APR_USEC_PER_SEC);
}

/* ---- the courier ---- */

static void log_line(void *baton, hs_courier_level level, const char *text)
{
    (void)baton;
    fprintf(stderr, "%d: %s\n", level, text);
}

static void *run(void *data)
{
    bench *b = data;

    hs_courier_run(b->courier);
    return NULL;
}

static long resident_kib(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long size = 0;
    long resident = 0;

    if (file && fscanf(file, "%ld %ld", &size, &resident) != 2) {
        resident = 0;
    }
    if (file) {
        fclose(file);
    }
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static apr_array_header_t *one_rate(apr_pool_t *pool, int requests, int seconds)
{
    apr_array_header_t *rates = apr_array_make(pool, 1, sizeof(hs_rate));

    APR_ARRAY_PUSH(rates, hs_rate) = (hs_rate){requests, apr_time_from_sec(seconds), requests};
    return rates;
}

static void make_courier(bench *b, int connections)
{
    static const hs_mailbox from = {"Help", "help@desk.example"};
    hs_confirmation_opts look = {.folder = "templates", .site_name = "Desk", .from = &from};
    apr_array_header_t *sites = apr_array_make(b->pool, 1, sizeof(hs_courier_site));
    hs_courier_site *site = apr_array_push(sites);
    FILE *journal = tmpfile();
    hs_courier_opts opts = {.host = "bench",
                            .connections = connections,
                            .poll_us = apr_time_from_sec(1),
                            .journal_fd = fileno(journal),
                            .log = log_line};

    memset(site, 0, sizeof(*site));
    site->name = SITE;
    site->relay.url = apr_psprintf(b->pool, "smtp://127.0.0.1:%d", b->port);
    site->from = &from;
    site->bounce = "";
    site->max_age_us = apr_time_from_sec(48 * 3600);
    site->limits.recipient = one_rate(b->pool, 5, 5 * 60);
    site->limits.site = one_rate(b->pool, 1000000, 3600);
    stop_on(hs_confirmation_load(&site->templates, &look, b->pool));
    stop_on(hs_courier_create(&b->courier, &opts, b->store, sites, b->pool));
}

/* Until all are stored as sent; returns the seconds since `start`. */
static double wait_for(bench *b, int mails, apr_time_t start)
{
    int shown = 0;
    apr_pool_t *pool;

    apr_pool_create(&pool, b->pool);
    while (atomic_load(&b->sink->mails) < mails && apr_time_now() - start < 600000000) {
        int now = atomic_load(&b->sink->mails);

        if (now - shown >= 50000) {
            shown = now;
            printf("%d mails, %ld KiB resident\n", now, resident_kib());
            fflush(stdout);
        }
        apr_sleep(1000);
    }
    apr_pool_destroy(pool);
    return (double)(apr_time_now() - start) / APR_USEC_PER_SEC;
}

static int compare(const void *a, const void *b)
{
    apr_int64_t first = *(const apr_int64_t *)a;
    apr_int64_t second = *(const apr_int64_t *)b;

    return (first > second) - (first < second);
}

/* One mail at a time, with a pause: from COMMIT to MAIL FROM. */
static void measure_latency(bench *b)
{
    apr_int64_t took[LATENCY_MAILS];
    apr_pool_t *pool;

    apr_pool_create(&pool, b->pool);
    for (int i = 0; i < LATENCY_MAILS; i++) {
        int before = atomic_load(&b->sink->mails);
        apr_time_t start;

        apr_sleep(20000 + i % 7 * 3000);
        submit(b, -1 - i, pool);
        start = apr_time_now();
        hs_courier_wake(b->courier);
        while (atomic_load(&b->sink->mails) == before) {
            apr_sleep(200);
        }
        took[i] = atomic_load(&b->sink->last_mail_from) - start;
    }
    qsort(took, LATENCY_MAILS, sizeof(*took), compare);
    printf("idle: commit to MAIL FROM, of %d mails: median %.1f ms, p90 %.1f ms, p99 %.1f ms\n",
           LATENCY_MAILS, (double)took[MEDIAN] / 1000, (double)took[P90] / 1000,
           (double)took[P99] / 1000);
    apr_pool_destroy(pool);
}

static int count_unsent(bench *b)
{
    apr_array_header_t *rows;

    stop_on(hs_outbox_list(b->store, &rows, NULL, 1000, b->pool));
    for (int i = 0; i < rows->nelts && i < 5; i++) {
        const hs_mail_row *row = APR_ARRAY_IDX(rows, i, const hs_mail_row *);

        printf("mail %d is %s: %s\n", (int)row->id, row->state, row->detail);
    }
    return rows->nelts;
}

static void remove_folder(const char *folder)
{
    static const char *const names[] = {"", "/tickets.db", "/tickets.db-wal", "/tickets.db-shm"};

    for (int i = 3; i >= 0; i--) {
        char path[256];

        snprintf(path, sizeof(path), "%s%s", folder, names[i]);
        (void)remove(path);
    }
}

static int argument(int argc, char **argv, int index, int fallback)
{
    return argc > index ? (int)strtol(argv[index], NULL, 10) : fallback;
}

int main(int argc, char **argv)
{
    int mails = argument(argc, argv, 1, 20000);
    int connections = argument(argc, argv, 2, 4);
    char folder[] = "/tmp/hs-courier-bench-XXXXXX";
    static bench b;
    hs_db_opts db = {.driver = "sqlite3", .max = FILLERS, .timeout_us = 30000000, .prepare = 1};
    pid_t sink;
    pthread_t thread;
    apr_time_t start;
    double took;
    int unsent;

    b.dot_ms = argument(argc, argv, 3, 0);
    apr_initialize();
    sink = start_sink(&b);
    apr_pool_create(&b.pool, NULL);
    db.params = apr_pstrcat(b.pool, mkdtemp(folder), "/tickets.db", NULL);
    stop_on(hs_smtp_init(b.pool));
    stop_on(hs_store_create(&b.store, &db, NULL, NULL, b.pool));
    fill_outbox(&b, mails);
    make_courier(&b, connections);
    start = apr_time_now();
    pthread_create(&thread, NULL, run, &b);
    took = wait_for(&b, mails, start);
    printf("%d mails over %d connections, dot after %d ms: %.0f mails/s; %ld KiB resident\n", mails,
           connections, b.dot_ms, mails / took, resident_kib());
    measure_latency(&b);
    hs_courier_stop(b.courier, apr_time_from_sec(10));
    pthread_join(thread, NULL);
    unsent = count_unsent(&b);
    kill(sink, SIGKILL);
    printf("%d mails unsent, %d taken by the sink\n", unsent, atomic_load(&b.sink->mails));
    apr_pool_destroy(b.pool);
    remove_folder(folder);
    return unsent != 0 || atomic_load(&b.sink->mails) != mails + LATENCY_MAILS;
}
