/* smtp_bench.c - how fast hs_smtp hands mail to a relay. */
/* SPDX-License-Identifier: Apache-2.0 */

/*     smtp_bench URL CONNECTIONS MAILS [OCTETS]
 *
 * sends MAILS mails of OCTETS (6144) octets in all, from CONNECTIONS threads with one hs_smtp each,
 * as the mail sender does. Prints one line, with mails a second. Exit status 1 unless each was
 * accepted. Compare with Postfix's smtp-source against the same smtp-sink, side by side:
 *
 *     smtp-source -s CONNECTIONS -m MAILS -l OCTETS -d HOST:PORT */

#include "hs_smtp.h"

#include <apr_atomic.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>

#include <stdio.h>
#include <string.h>

#define MAX_CONNECTIONS 256

/* What the threads share. */
typedef struct bench {
    hs_smtp_mail mail;
    volatile apr_uint32_t left;
    volatile apr_uint32_t failed;
} bench;

typedef struct sender {
    bench *shared;
    hs_smtp *smtp;
} sender;

/* Lines of 76 octets behind a short header, as the composer writes them. */
static void make_mail(hs_smtp_mail *mail, apr_size_t length, apr_pool_t *pool)
{
    static const char header[] = "From: <desk@example.com>\r\nSubject: bench\r\n\r\n";
    char *octets = apr_pcalloc(pool, length + sizeof(header) + 78);
    apr_size_t at = sizeof(header) - 1;

    memcpy(octets, header, at);
    while (at < length) {
        memset(octets + at, 'x', 76);
        octets[at + 76] = '\r';
        octets[at + 77] = '\n';
        at += 78;
    }
    mail->sender = "";
    mail->recipient = "somebody@example.com";
    mail->octets = octets;
    mail->length = at;
}

/* Take one of the mails that are left; 0 where there is none. */
static int take(bench *shared)
{
    apr_uint32_t left = apr_atomic_read32(&shared->left);

    while (left) {
        apr_uint32_t seen = apr_atomic_cas32(&shared->left, left - 1, left);

        if (seen == left) {
            return 1;
        }
        left = seen;
    }
    return 0;
}

static void *APR_THREAD_FUNC send_mails(apr_thread_t *thread, void *data)
{
    sender *self = data;
    hs_smtp_outcome outcome;

    (void)thread;
    while (take(self->shared)) {
        hs_smtp_send(&outcome, self->smtp, &self->shared->mail);
        if (outcome.class != HS_SMTP_SENT && apr_atomic_inc32(&self->shared->failed) == 0) {
            fprintf(stderr, "class %d, code %d: %s\n", outcome.class, outcome.code, outcome.reply);
        }
    }
    return NULL;
}

static int run(bench *shared, const hs_smtp_opts *opts, int connections, apr_pool_t *pool)
{
    apr_thread_t *threads[MAX_CONNECTIONS];
    sender senders[MAX_CONNECTIONS];
    apr_uint32_t mails = shared->left;
    apr_time_t start = apr_time_now();
    apr_status_t status;
    double seconds;
    int i;

    for (i = 0; i < connections; i++) {
        hs_error *error = hs_smtp_create(&senders[i].smtp, opts, pool);

        if (error) {
            fprintf(stderr, "%s\n", error->text);
            return 1;
        }
        senders[i].shared = shared;
        apr_thread_create(&threads[i], NULL, send_mails, &senders[i], pool);
    }
    for (i = 0; i < connections; i++) {
        apr_thread_join(&status, threads[i]);
    }
    seconds = (double)(apr_time_now() - start) / APR_USEC_PER_SEC;
    printf("connections=%d mails=%u octets=%lu failed=%u mails_per_second=%.0f\n", connections,
           mails, (unsigned long)shared->mail.length, shared->failed, mails / seconds);
    return shared->failed != 0;
}

int main(int argc, char **argv)
{
    hs_smtp_opts opts = {.ehlo_name = "bench.example"};
    bench shared = {0};
    apr_pool_t *pool;
    int connections;
    int failed;

    if (argc < 4 || argc > 5) {
        fprintf(stderr, "usage: smtp_bench URL CONNECTIONS MAILS [OCTETS]\n");
        return 2;
    }
    connections = (int)apr_strtoi64(argv[2], NULL, 10);
    shared.left = (apr_uint32_t)apr_strtoi64(argv[3], NULL, 10);
    if (connections < 1 || connections > MAX_CONNECTIONS || !shared.left) {
        fprintf(stderr, "1 to %d connections, 1 mail or more\n", MAX_CONNECTIONS);
        return 2;
    }
    apr_initialize();
    apr_pool_create(&pool, NULL);
    opts.url = argv[1];
    make_mail(&shared.mail, argc > 4 ? (apr_size_t)apr_strtoi64(argv[4], NULL, 10) : 6144, pool);
    failed = hs_smtp_init(pool) != NULL || run(&shared, &opts, connections, pool);
    apr_pool_destroy(pool);
    apr_terminate();
    return failed;
}
