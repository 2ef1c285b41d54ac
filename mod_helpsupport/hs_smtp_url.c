/* hs_smtp_url.c - layer 2: the URL of a mail relay, as HelpSupportMailServer takes it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_smtp_url.h"

#include <apr_cstr.h>
#include <apr_strings.h>

#include <arpa/inet.h>
#include <string.h>

#define MAX_HOST 253
#define MAX_PORT 65535

static const char *const NAME_OCTETS = "abcdefghijklmnopqrstuvwxyz"
                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

static int is_host_name(const char *text)
{
    const char *label = text;

    for (;;) {
        apr_size_t length = strspn(label, NAME_OCTETS);

        if (!length || *label == '-') {
            return 0;
        }
        if (!label[length]) {
            return 1;
        }
        if (label[length] != '.') {
            return 0;
        }
        label += length + 1;
    }
}

static int is_host(const char *text, apr_pool_t *pool)
{
    apr_size_t length = strlen(text);
    struct in6_addr address;

    if (!length || length > MAX_HOST) {
        return 0;
    }
    if (*text != '[') {
        return is_host_name(text);
    }
    return text[length - 1] == ']' &&
           inet_pton(AF_INET6, apr_pstrmemdup(pool, text + 1, length - 2), &address) == 1;
}

/* Only what can be nothing else: "127.1" or a name that resolves to 127.0.0.1 still needs TLS. */
static int is_loopback(const char *host)
{
    struct in_addr address;

    return !apr_cstr_casecmp(host, "localhost") || !strcmp(host, "[::1]") ||
           (!strncmp(host, "127.", 4) && inet_pton(AF_INET, host, &address) == 1);
}

static int read_port(const char *text)
{
    int port = 0;

    if (!*text || strlen(text) > 5 || strspn(text, "0123456789") != strlen(text)) {
        return 0;
    }
    for (; *text; text++) {
        port = port * 10 + (*text - '0');
    }
    return port <= MAX_PORT ? port : 0;
}

/* Splits host[:port] at the colon behind the host, which is not one of an IPv6 address. */
static hs_error *parse_authority(hs_smtp_url *out, char *authority, apr_pool_t *pool)
{
    char *bracket = strchr(authority, ']');
    char *colon = strchr(bracket ? bracket : authority, ':');

    if (colon) {
        *colon = '\0';
        out->port = read_port(colon + 1);
        if (!out->port) {
            return hs_error_make(pool, HS_CONFIGURATION,
                                 "mail server URL: the port must be a number from 1 to %d",
                                 MAX_PORT);
        }
    }
    if (!is_host(authority, pool)) {
        return hs_error_make(pool, HS_CONFIGURATION,
                             "mail server URL: the host must be a name, an IPv4 address, or an "
                             "IPv6 address in brackets");
    }
    out->host = authority;
    return NULL;
}

static hs_error *parse_query(hs_smtp_url *out, const char *query, apr_pool_t *pool)
{
    if (strcmp(query, "tls=none") != 0) {
        return hs_error_make(pool, HS_CONFIGURATION,
                             "mail server URL: only ?tls=none may follow the host and port");
    }
    if (out->tls == HS_SMTP_TLS_IMPLICIT) {
        return hs_error_make(pool, HS_CONFIGURATION,
                             "mail server URL: smtps:// is TLS; ?tls=none contradicts it");
    }
    out->tls = HS_SMTP_TLS_NONE;
    return NULL;
}

hs_error *hs_smtp_url_parse(hs_smtp_url *out, const char *text, apr_pool_t *pool)
{
    int is_smtps = !strncmp(text, "smtps://", 8);
    char *authority;
    char *query;
    hs_error *error;

    if (!is_smtps && strncmp(text, "smtp://", 7) != 0) {
        return hs_error_make(pool, HS_CONFIGURATION,
                             "mail server URL: must begin with smtp:// or smtps://");
    }
    authority = apr_pstrdup(pool, text + (is_smtps ? 8 : 7));
    /* The text must not repeat the URL: what stands before the "@" may be a password. */
    if (strchr(authority, '@')) {
        return hs_error_make(pool, HS_CONFIGURATION,
                             "mail server URL: a login belongs into the file that "
                             "HelpSupportMailLogin names");
    }
    query = strchr(authority, '?');
    if (query) {
        *query++ = '\0';
    }
    out->port = is_smtps ? 465 : 25;
    error = parse_authority(out, authority, pool);
    if (error) {
        return error;
    }
    out->tls = is_smtps                 ? HS_SMTP_TLS_IMPLICIT
               : is_loopback(out->host) ? HS_SMTP_TLS_NONE
                                        : HS_SMTP_TLS_STARTTLS;
    return query ? parse_query(out, query, pool) : NULL;
}
