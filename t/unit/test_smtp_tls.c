/* test_smtp_tls.c - one relay connection: STARTTLS, certificates, logins. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_smtp.h"

#include "smtp_fixture.h"

/* "relay.test" is not loopback, so STARTTLS is required. */
static void use_name(fixture *f, const char *scheme)
{
    f->opts.url = apr_psprintf(f->pool, "%s://relay.test:%d", scheme, f->port);
    f->opts.resolve = apr_psprintf(f->pool, "relay.test:%d:127.0.0.1", f->port);
}

static void test_tls(apr_pool_t *pool)
{
    fixture f;

    start(&f, pool, "", NULL, NULL);
    use_name(&f, "smtp");
    f.opts.user = "desk";
    f.opts.password = "secret";
    send_to(&f, "a@b.example", BODY);
    is_outcome(&f, HS_SMTP_RELAY, 250, "", "no STARTTLS: relay trouble");
    tap_ok(!strstr(slurp(&f, "connection-1"), "AUTH") && !strstr(slurp(&f, "connection-1"), "MAIL"),
           "  and nothing went out in clear");
    stop(&f);

    start(&f, pool, "starttls * reply 454 4.7.0 not now", "--make-cert", NULL);
    use_name(&f, "smtp");
    send_to(&f, "a@b.example", BODY);
    is_outcome(&f, HS_SMTP_RELAY, 454, "", "STARTTLS refused: relay trouble");
    tap_ok(!strstr(slurp(&f, "connection-1"), "MAIL"), "  and nothing went out in clear");
    stop(&f);

    start(&f, pool, "", "--make-cert", NULL);
    use_name(&f, "smtp");
    send_to(&f, "a@b.example", BODY);
    is_outcome(&f, HS_SMTP_RELAY, 220, "certificate", "self-signed certificate: relay trouble");
    f.smtp = NULL;
    f.opts.ca_file = in_folder(&f, "cert.pem");
    send_to(&f, "a@b.example", BODY);
    send_to(&f, "a@b.example", BODY);
    is_outcome(&f, HS_SMTP_SENT, 250, "queued as 2-2", "trusted, it serves, and is kept");
    tap_is_int(count(&f, "mails.jsonl", "\"tls\": true"), 2, "  under TLS");
    tap_is_int(count(&f, "events.jsonl", "\"more\""), 4, "  with the commands at once");
    f.smtp = NULL;
    f.opts.url = apr_psprintf(f.pool, "smtp://127.0.0.2:%d?tls=none", f.port);
    f.opts.resolve = NULL;
    stop(&f);

    start(&f, pool, "ehlo 1 reply 250 me\\n250 PIPELINING\\n250 STARTTLS", "--make-cert",
          "--no-pipelining");
    use_name(&f, "smtp");
    f.opts.ca_file = in_folder(&f, "cert.pem");
    send_to(&f, "a@b.example", BODY);
    is_outcome(&f, HS_SMTP_SENT, 250, "queued as 1-1", "what is offered in clear");
    tap_is_int(count(&f, "events.jsonl", "\"more\""), 0, "  counts for nothing");
    stop(&f);

    start(&f, pool, "", "--make-cert", "--tls");
    use_name(&f, "smtps");
    f.opts.ca_file = in_folder(&f, "cert.pem");
    send_to(&f, "a@b.example", BODY);
    is_outcome(&f, HS_SMTP_SENT, 250, "queued as 1-1", "smtps");
    stop(&f);
}

static void test_login(apr_pool_t *pool)
{
    fixture f;

    start(&f, pool, "", "--make-cert", "--auth=desk:s3cret word");
    use_name(&f, "smtp");
    f.opts.ca_file = in_folder(&f, "cert.pem");
    send_to(&f, "a@b.example", BODY);
    is_outcome(&f, HS_SMTP_RELAY, 530, "530 5.7.0", "no login where one is wanted");
    f.smtp = NULL;
    f.opts.user = "desk";
    f.opts.password = "wrong";
    send_to(&f, "a@b.example", BODY);
    is_outcome(&f, HS_SMTP_RELAY, 535, "535 5.7.8", "wrong password: relay trouble");
    tap_is_int(f.outcome.policy, 1, "  for the administrator");
    f.smtp = NULL;
    f.opts.password = "s3cret word";
    send_to(&f, "a@b.example", BODY);
    is_outcome(&f, HS_SMTP_SENT, 250, "queued as", "right password");
    stop(&f);
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    tap_ok(hs_smtp_init(pool) == NULL, "libcurl starts");
    test_tls(pool);
    test_login(pool);
    return tap_done();
}
