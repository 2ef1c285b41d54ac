/* test_smtp_url.c - the URL of a mail relay: what is accepted, and when TLS is required. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_smtp_url.h"

#include "tap.h"

#include <apr_general.h>

static void test_accepted(apr_pool_t *pool)
{
    static const struct {
        const char *text;
        const char *host;
        int port;
        hs_smtp_tls tls;
    } cases[] = {
        {"smtp://relay.example", "relay.example", 25, HS_SMTP_TLS_STARTTLS},
        {"smtp://relay.example:587", "relay.example", 587, HS_SMTP_TLS_STARTTLS},
        {"smtp://mail_relay:2525?tls=none", "mail_relay", 2525, HS_SMTP_TLS_NONE},
        {"smtps://relay.example", "relay.example", 465, HS_SMTP_TLS_IMPLICIT},
        {"smtps://127.0.0.1:1465", "127.0.0.1", 1465, HS_SMTP_TLS_IMPLICIT},
        {"smtp://localhost", "localhost", 25, HS_SMTP_TLS_NONE},
        {"smtp://LocalHost:1", "LocalHost", 1, HS_SMTP_TLS_NONE},
        {"smtp://127.9.9.9", "127.9.9.9", 25, HS_SMTP_TLS_NONE},
        {"smtp://[::1]:65535", "[::1]", 65535, HS_SMTP_TLS_NONE},
        {"smtp://[2001:db8::7]:26", "[2001:db8::7]", 26, HS_SMTP_TLS_STARTTLS},
        {"smtp://192.0.2.7", "192.0.2.7", 25, HS_SMTP_TLS_STARTTLS},
        /* look like loopback, but are names */
        {"smtp://127.0.0.1.example.com", "127.0.0.1.example.com", 25, HS_SMTP_TLS_STARTTLS},
        {"smtp://localhost.example.com", "localhost.example.com", 25, HS_SMTP_TLS_STARTTLS},
        {"smtp://127.1", "127.1", 25, HS_SMTP_TLS_STARTTLS},
    };
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        hs_smtp_url url = {0};
        hs_error *error = hs_smtp_url_parse(&url, cases[i].text, pool);

        tap_is_str(error ? error->text : NULL, NULL, cases[i].text);
        tap_is_str(url.host, cases[i].host, "  host");
        tap_is_int(url.port, cases[i].port, "  port");
        tap_is_int(url.tls, cases[i].tls, "  TLS");
    }
}

static void test_refused(apr_pool_t *pool)
{
    static const struct {
        const char *text;
        const char *says;
    } cases[] = {
        {"", "begin with"},
        {"relay.example", "begin with"},
        {"http://relay.example", "begin with"},
        {"smtp:/relay.example", "begin with"},
        {"smtp://", "host"},
        {"smtp://:25", "host"},
        {"smtp://relay..example", "host"},
        {"smtp://relay.example.", "host"},
        {"smtp://-relay", "host"},
        {"smtp://re lay", "host"},
        {"smtp://relay\r\nexample", "host"},
        {"smtp://relay/path", "host"},
        {"smtp://::1", "port"},
        {"smtp://[::1", "port"},
        {"smtp://[::g]", "host"},
        {"smtp://[]", "host"},
        {"smtp://[::1]x", "host"},
        {"smtp://relay:0", "port"},
        {"smtp://relay:65536", "port"},
        {"smtp://relay:", "port"},
        {"smtp://relay:25x", "port"},
        {"smtp://relay:25/ehlo", "port"},
        {"smtp://relay?tls=maybe", "tls=none"},
        {"smtp://relay?", "tls=none"},
        {"smtp://relay?tls=none&x=y", "tls=none"},
        {"smtps://relay?tls=none", "contradicts"},
        {"smtp://bob:secret@relay.example", "HelpSupportMailLogin"},
    };
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        hs_smtp_url url;
        hs_error *error = hs_smtp_url_parse(&url, cases[i].text, pool);

        tap_ok(error && error->code == HS_CONFIGURATION, "refused: \"%s\"", cases[i].text);
        tap_ok(error && strstr(error->text, cases[i].says), "  and says: %s", cases[i].says);
        tap_ok(error && !strstr(error->text, "secret"), "  and repeats no password");
    }
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_accepted(pool);
    test_refused(pool);
    return tap_done();
}
