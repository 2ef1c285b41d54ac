/* test_smtp.c - one relay connection: every way in which a relay can fail a mail. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_smtp.h"

#include "smtp_fixture.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <dlfcn.h>
#include <sys/socket.h>

/* From the first octets on that are to be sent; 0: not. */
static apr_interval_time_t hold_us;
static apr_time_t wants_to_read_until;
static int refusals;

/* What hs_smtp_link calls, in place of libcurl's: for a while TLS must read before it writes. */
__attribute__((visibility("default"))) CURLcode curl_easy_send(CURL *curl, const void *octets,
                                                               size_t length, size_t *sent)
{
    __typeof__(&curl_easy_send) real;
    void *symbol = dlsym(RTLD_NEXT, "curl_easy_send");

    if (hold_us > 0 && refusals == 0) {
        wants_to_read_until = apr_time_now() + hold_us;
    }
    if (hold_us > 0 && (refusals < 3 || apr_time_now() < wants_to_read_until)) {
        refusals++;
        *sent = 0;
        return CURLE_AGAIN;
    }
    memcpy(&real, &symbol, sizeof(real));
    return real(curl, octets, length, sent);
}

static void test_octets(apr_pool_t *pool)
{
    static const char *const bodies[] = {".\r\n", "..a\r\n.b\r\n.\r\n\r\n", "x\r\n.", "no end"};
    static const char wire[] = "EHLO desk.example\r\n"
                               "MAIL FROM:<> SIZE=3\r\nRCPT TO:<a@b.example>\r\nDATA\r\n"
                               "..\r\n.\r\n"
                               "MAIL FROM:<> SIZE=14\r\nRCPT TO:<a@b.example>\r\nDATA\r\n"
                               "...a\r\n..b\r\n..\r\n\r\n.\r\n"
                               "MAIL FROM:<> SIZE=4\r\nRCPT TO:<a@b.example>\r\nDATA\r\n"
                               "x\r\n..\r\n.\r\n"
                               "MAIL FROM:<> SIZE=6\r\nRCPT TO:<a@b.example>\r\nDATA\r\n"
                               "no end\r\n.\r\n";
    fixture f;
    apr_size_t i;

    start(&f, pool, "", NULL, NULL);
    for (i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
        send_to(&f, "a@b.example", bodies[i]);
        is_outcome(&f, HS_SMTP_SENT, 250, apr_psprintf(f.pool, "queued as 1-%d", (int)i + 1),
                   "sent over the first connection");
    }
    tap_is_str(slurp(&f, "connection-1"), wire,
               "dots are doubled, and nothing else is on the wire");
    hs_smtp_quit(f.smtp);
    apr_sleep(100000);
    tap_is_int(count(&f, "connection-1", "QUIT\r\n"), 1, "QUIT is said");
    tap_is_int(send_to(&f, "a@b.example", BODY), HS_SMTP_SENT, "and the next mail connects again");
    stop(&f);
}

/* Lengths round whole sends. */
static void test_long_bodies(apr_pool_t *pool)
{
    static const int lengths[] = {65534, 65535, 65536, 65537, 131072, 300000};
    fixture f;
    apr_size_t i;

    start(&f, pool, "", NULL, NULL);
    for (i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        char *body = apr_pcalloc(f.pool, (apr_size_t)lengths[i] + 1);
        int at;

        for (at = 0; at < lengths[i]; at++) {
            body[at] = "0123456789abcdefghijklmnopqrstuvwxyz\r\n"[at % 38];
        }
        if (lengths[i] % 38 == 37) { /* not between CR and LF */
            body[lengths[i] - 1] = '.';
        }
        tap_ok(send_to(&f, "a@b.example", body) == HS_SMTP_SENT, "%d octets", lengths[i]);
    }
    tap_is_int(count(&f, "mails.jsonl", "\"connection\": 1"), 6, "all arrived, on one connection");
    stop(&f);
}

static void test_tls_that_reads_first(apr_pool_t *pool)
{
    fixture f;

    start(&f, pool, "", NULL, NULL);
    (void)send_to(&f, "a@b.example", BODY);
    hold_us = apr_time_from_msec(300);
    tap_is_int(send_to(&f, "a@b.example", BODY), HS_SMTP_SENT, "a mail that TLS holds up");
    hold_us = 0;
    tap_ok(refusals > 1 && refusals < 100, "is tried now and then: %d times in 300 ms", refusals);
    stop(&f);
}

static void test_injection(apr_pool_t *pool)
{
    fixture f;

    start(&f, pool, "", NULL, NULL);
    send_to(&f, "a@b.example>\r\nRCPT TO:<victim@example.com", BODY);
    is_outcome(&f, HS_SMTP_PERMANENT, 0, "not one plain address", "commands in an address");
    send_to(&f, "a@b.example", "x\n.\r\nMAIL FROM:<>\r\n");
    is_outcome(&f, HS_SMTP_PERMANENT, 0, "bare CR or LF", "a dot behind a bare LF");
    tap_is_str(slurp(&f, "events.jsonl"), "", "the relay heard nothing of it");
    stop(&f);
}

typedef struct refusal {
    const char *rules;
    hs_smtp_class class;
    int code;
    const char *reply;
} refusal;

/* One mail that fails as said, then a second one that must arrive. */
static void test_refusal(fixture *f, const refusal *expected)
{
    int start_ms;
    int mails;

    f->smtp = NULL;
    f->opts.reply_timeout_s = strstr(expected->reply, "in time") ? 1 : 30;
    set_rules(f, expected->rules);
    mails = count(f, "mails.jsonl", "a@b.example");
    start_ms = now_ms();
    send_to(f, "a@b.example", BODY);
    is_outcome(f, expected->class, expected->code, expected->reply,
               apr_pstrmemdup(f->pool, expected->rules, strcspn(expected->rules, "\n")));
    tap_is_int(f->outcome.is_sender_refused, strncmp(expected->rules, "mail 1 reply 5", 14) == 0,
               "  by its sender");
    tap_ok(now_ms() - start_ms < 10000, "  without waiting for more (%d ms)", now_ms() - start_ms);
    set_rules(f, "");
    tap_is_int(send_to(f, "c@d.example", BODY), HS_SMTP_SENT, "  the next mail is sent");
    tap_is_int(count(f, "mails.jsonl", "a@b.example") - mails,
               strncmp(expected->rules, "dot", 3) == 0,
               "  and of the first one no part that it was not asked for");
}

static void test_refusals(apr_pool_t *pool, const char *option)
{
    static const refusal cases[] = {
        {"connect 1 reply 554 5.7.1 no", HS_SMTP_RELAY, 554, "554 5.7.1 no"},
        {"ehlo 1+ reply 550 5.7.1 no", HS_SMTP_RELAY, 550, "550 5.7.1 no"},
        {"mail 1 reply 451 4.3.0 later", HS_SMTP_TEMPORARY, 451, "451 4.3.0 later"},
        /* a refused sender is no recipient's fault: no mail may be lost for it */
        {"mail 1 reply 550 5.1.8 sender", HS_SMTP_TEMPORARY, 550, "550 5.1.8 sender"},
        {"mail 1 reply 550 5.1.8 one\\n550 two", HS_SMTP_TEMPORARY, 550, "550-5.1.8 one two"},
        {"rcpt 1 reply 450 4.2.0 grey", HS_SMTP_TEMPORARY, 450, "450 4.2.0 grey"},
        {"rcpt 1 reply 550 5.1.1 <a@b.example> who", HS_SMTP_PERMANENT, 550, "<(address)> who"},
        {"rcpt 1 reply 550 5.1.1 no user a", HS_SMTP_PERMANENT, 550, "no user (address)"},
        {"rcpt 1 reply 550 5.1.1 one\\n550 two", HS_SMTP_PERMANENT, 550, "550-5.1.1 one two"},
        {"rcpt 1 reply 552 5.2.2 full", HS_SMTP_TEMPORARY, 552, "full"},
        {"rcpt 1 reply 550 5.1.1 x\ndata 1 reply 554 y", HS_SMTP_PERMANENT, 550, "5.1.1 x"},
        {"data 1 reply 554 5.5.1 no", HS_SMTP_PERMANENT, 554, "554 5.5.1 no"},
        {"data 1 reply 452 4.3.1 disk", HS_SMTP_TEMPORARY, 452, "452 4.3.1 disk"},
        {"dot 1 reply 451 4.3.0 later", HS_SMTP_TEMPORARY, 451, "451 4.3.0 later"},
        {"dot 1 reply 554 5.7.1 spam", HS_SMTP_PERMANENT, 554, "554 5.7.1 spam"},
        {"dot 1 reply 421 4.3.2 down; close", HS_SMTP_RELAY, 421, "421 4.3.2 down"},
        {"connect 1 close", HS_SMTP_RELAY, 0, ""},
        {"mail 1 close", HS_SMTP_RELAY, 0, "closed the connection"},
        {"rcpt 1 close", HS_SMTP_TEMPORARY, 250, "closed the connection"},
        {"data 1 close", HS_SMTP_TEMPORARY, 250, "closed the connection"},
        {"mail * silent\nrcpt * silent\ndata * silent", HS_SMTP_RELAY, 0, "not answer in time"},
        {"rcpt * silent\ndata * silent", HS_SMTP_TEMPORARY, 250, "not answer in time"},
        {"data 1 silent", HS_SMTP_TEMPORARY, 250, "not answer in time"},
        {"dot 1 close", HS_SMTP_AMBIGUOUS, 354, "closed the connection"},
        {"dot 1 silent", HS_SMTP_AMBIGUOUS, 354, "not answer in time"},
        {"mail 1 reply 550 5.1.8 x\nquit * silent", HS_SMTP_TEMPORARY, 550, "5.1.8"},
    };
    fixture f;
    apr_size_t i;

    start(&f, pool, "", option, NULL);
    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        test_refusal(&f, &cases[i]);
    }
    tap_is_int(count(&f, "events.jsonl", "\"more\"") > 0, !option,
               option ? "all that one after the other" : "all that with the commands at once");
    stop(&f);
}

/* The answer to one mail must never be taken for the answer to the next one. */
static void test_late_answer(apr_pool_t *pool)
{
    static const char *const rules[] = {"dot 1 wait 1500; reply 554 5.7.1 Too late",
                                        "dot 1 wait 1500; reply 250 2.0.0 Too late"};
    int i;

    for (i = 0; i < 4; i++) {
        fixture f;

        start(&f, pool, rules[i % 2], NULL, NULL);
        send_to(&f, "first@b.example", BODY);
        is_outcome(&f, HS_SMTP_AMBIGUOUS, 354, "", rules[i % 2]);
        apr_sleep(i < 2 ? 0 : 700000); /* the answer comes after the next mail's MAIL, or before */
        send_to(&f, "second@b.example", BODY);
        is_outcome(&f, HS_SMTP_SENT, 250, "queued as 2-1", "  the next mail has its own answer");
        stop(&f);
    }
}

static void test_slow_dot(apr_pool_t *pool)
{
    fixture f;

    start(&f, pool, "dot * wait 2500", NULL, NULL);
    f.opts.reply_timeout_s = 5;
    f.opts.stall_timeout_s = 1;
    send_to(&f, "a@b.example", BODY);
    is_outcome(&f, HS_SMTP_SENT, 250, "queued as 1-1",
               "a relay may think longer than a body stalls");
    stop(&f);
}

/* More than sockets hold. */
static char *long_body(const fixture *f)
{
    apr_size_t length = 32 * 1024 * 1024;
    char *body = apr_palloc(f->pool, length + 1);

    memset(body, 'x', length);
    body[length] = '\0';
    return body;
}

static void test_stalled_body(apr_pool_t *pool)
{
    fixture f;
    int start_ms;

    start(&f, pool, "data * reply 354 Go on; wait 20000", NULL, NULL);
    f.opts.stall_timeout_s = 1;
    f.opts.reply_timeout_s = 60;
    start_ms = now_ms();
    send_to(&f, "a@b.example", long_body(&f));
    is_outcome(&f, HS_SMTP_TEMPORARY, 354, "", "a body that does not move");
    tap_ok(now_ms() - start_ms < 15000, "  is given up (%d ms)", now_ms() - start_ms);
    stop(&f);
}

static void test_idle(apr_pool_t *pool)
{
    fixture f;

    start(&f, pool, "idle * wait 100; reply 421 4.4.2 Idle too long", NULL, NULL);
    send_to(&f, "a@b.example", BODY);
    apr_sleep(300000);
    send_to(&f, "a@b.example", BODY);
    is_outcome(&f, HS_SMTP_SENT, 250, "queued as 2-1", "a 421 on an idle connection costs no try");
    tap_is_int(count(&f, "connection-1", "MAIL"), 1, "  and no mail is tried there");
    set_rules(&f, "mail 1 reply 421 4.3.2 Going down; close");
    send_to(&f, "a@b.example", BODY);
    is_outcome(&f, HS_SMTP_SENT, 250, "queued as 3-1", "nor does one as the answer to MAIL");
    set_rules(&f, "mail 1+ reply 421 4.3.2 Going down; close");
    send_to(&f, "a@b.example", BODY);
    is_outcome(&f, HS_SMTP_RELAY, 421, "Going down", "but twice is the relay's trouble");
    tap_is_int(count(&f, "events.jsonl", "\"open\""), 4, "after one more connection");
    stop(&f);
}

static void test_caps(apr_pool_t *pool)
{
    fixture f;
    int start_ms;
    int i;

    start(&f, pool, "quit * silent", NULL, NULL);
    f.opts.reply_timeout_s = 20;
    f.opts.max_mails = 2;
    f.opts.max_idle_s = 1;
    start_ms = now_ms();
    for (i = 0; i < 3; i++) {
        send_to(&f, "a@b.example", BODY);
    }
    is_outcome(&f, HS_SMTP_SENT, 250, "queued as 2-1", "two mails a connection");
    tap_ok(now_ms() - start_ms < 500, "  and nobody waits for the answer to QUIT");
    apr_sleep(2100000);
    send_to(&f, "a@b.example", BODY);
    is_outcome(&f, HS_SMTP_SENT, 250, "queued as 3-1", "an old connection is not used again");
    stop(&f);
}

static void test_unreachable(apr_pool_t *pool)
{
    fixture f;
    int start_ms;

    start(&f, pool, "connect * wait 5000", NULL, NULL);
    f.opts.connect_timeout_s = 1;
    send_to(&f, "a@b.example", BODY);
    is_outcome(&f, HS_SMTP_RELAY, 0, "", "a greeting that does not come");
    f.smtp = NULL;
    f.opts.url = "smtp://127.0.0.1:1";
    start_ms = now_ms();
    send_to(&f, "a@b.example", BODY);
    is_outcome(&f, HS_SMTP_RELAY, 0, "connect", "refused");
    f.smtp = NULL;
    f.opts.url = "smtp://no-such-host.invalid?tls=none";
    send_to(&f, "a@b.example", BODY);
    is_outcome(&f, HS_SMTP_RELAY, 0, "resolve", "no such host");
    tap_ok(now_ms() - start_ms < 2000, "  both without a wait");
    stop(&f);
}

static void *APR_THREAD_FUNC abort_soon(apr_thread_t *thread, void *data)
{
    (void)thread;
    apr_sleep(300000);
    hs_smtp_abort(data);
    return NULL;
}

static void is_aborted(fixture *f, const char *body, hs_smtp_class class, const char *name)
{
    apr_thread_t *thread;
    apr_status_t status;
    int start_ms = now_ms();
    hs_error *error = hs_smtp_create(&f->smtp, &f->opts, f->pool);

    tap_ok(!error, "%s", name);
    apr_thread_create(&thread, NULL, abort_soon, f->smtp, f->pool);
    tap_is_int(send_to(f, "a@b.example", body), class, "  class");
    apr_thread_join(&status, thread);
    tap_ok(now_ms() - start_ms < 5000, "  ended at once (%d ms)", now_ms() - start_ms);
    tap_is_int(send_to(f, "a@b.example", BODY), HS_SMTP_RELAY, "  and no other begins");
}

/* A listener whose queue is full: connections to it hang in SYN_SENT. */
static int full_listener(int *filler)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int i;

    (void)bind(listener, (struct sockaddr *)&address, length);
    (void)listen(listener, 0);
    (void)getsockname(listener, (struct sockaddr *)&address, &length);
    for (i = 0; i < 3; i++) {
        filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(filler[i], (struct sockaddr *)&address, length);
    }
    filler[3] = listener;
    return ntohs(address.sin_port);
}

static void test_abort(apr_pool_t *pool)
{
    static const struct {
        const char *rules; /* where it waits when it is aborted */
        hs_smtp_class class;
        int is_long;
    } states[] = {
        {"connect * silent", HS_SMTP_RELAY, 0},
        {"ehlo * silent", HS_SMTP_RELAY, 0},
        {"mail * wait 9000", HS_SMTP_RELAY, 0},
        {"rcpt * wait 9000", HS_SMTP_RELAY, 0},
        {"data * wait 9000", HS_SMTP_RELAY, 0},
        {"data * reply 354 Go on; wait 20000", HS_SMTP_RELAY, 1},
        {"dot * silent", HS_SMTP_AMBIGUOUS, 0},
    };
    fixture f;
    apr_size_t i;
    int sockets[4];

    start(&f, pool, "", NULL, NULL);
    f.opts.reply_timeout_s = 60;
    for (i = 0; i < sizeof(states) / sizeof(*states); i++) {
        set_rules(&f, states[i].rules);
        is_aborted(&f, states[i].is_long ? long_body(&f) : BODY, states[i].class, states[i].rules);
    }
    f.opts.url = apr_psprintf(f.pool, "smtp://127.0.0.1:%d", full_listener(sockets));
    is_aborted(&f, BODY, HS_SMTP_RELAY, "aborted while it connects");
    close(sockets[0]);
    close(sockets[1]);
    close(sockets[2]);
    close(sockets[3]);
    stop(&f);
}

static void test_ehlo_name(apr_pool_t *pool)
{
    fixture f;

    start(&f, pool, "", NULL, NULL);
    f.opts.ehlo_name = "my_app";
    tap_is_int(send_to(&f, "a@b.example", BODY), HS_SMTP_SENT, "a server named my_app sends mail");
    tap_is_int(count(&f, "connection-1", "EHLO my_app\r\n"), 1, "and says its name");
    stop(&f);
}

static void test_options(apr_pool_t *pool)
{
    hs_smtp_opts opts = {.url = "smtp://localhost", .ehlo_name = "desk.example\r\nQUIT"};
    hs_smtp *smtp;
    hs_error *error = hs_smtp_create(&smtp, &opts, pool);

    tap_ok(error && error->code == HS_CONFIGURATION, "an EHLO name with commands is refused");
    opts.ehlo_name = NULL;
    opts.url = "smtp://bob:secret@relay.example";
    error = hs_smtp_create(&smtp, &opts, pool);
    tap_ok(error && error->code == HS_CONFIGURATION, "so is a bad URL");
    error = hs_smtp_check_url(opts.url, pool);
    tap_ok(error && error->code == HS_CONFIGURATION, "and configtest says so");
    error = hs_smtp_check_url("smtps://relay.example", pool);
    tap_ok(!error, "a good one passes");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    tap_ok(hs_smtp_init(pool) == NULL, "libcurl starts");
    test_options(pool);
    test_ehlo_name(pool);
    test_octets(pool);
    test_long_bodies(pool);
    test_tls_that_reads_first(pool);
    test_injection(pool);
    test_refusals(pool, NULL);
    test_refusals(pool, "--no-pipelining");
    test_late_answer(pool);
    test_slow_dot(pool);
    test_stalled_body(pool);
    test_idle(pool);
    test_caps(pool);
    test_unreachable(pool);
    test_abort(pool);
    return tap_done();
}
