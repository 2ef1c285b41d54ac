/* hs_smtp_link.c - layer 4: a connection to the relay over which mail can be sent (libcurl). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_smtp_link.h"

#include "hs_clock.h"
#include "hs_smtp_sockets.h"
#include "hs_smtp_url.h"

#include <apr_cstr.h>
#include <apr_strings.h>
#include <curl/curl.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>

#define TLS_PAUSE_MS 10

/* libcurl connects, checks certificates, says EHLO and STARTTLS, logs in, and then carries octets
 * (CURLOPT_CONNECT_ONLY). Its own way of sending a mail takes four round trips with five system
 * calls each and can't be told to give up an answer (7.88); a dialogue of ours takes two, and seven
 * in all. */
struct hs_smtp_link {
    const hs_smtp_opts *opts;
    const char *url; /* curl's form, with the EHLO name as its path */
    hs_smtp_tls tls;
    struct curl_slist *resolve;
    CURL *curl; /* one for each connection; NULL: not open */
    curl_socket_t fd;
    unsigned int offers;
    hs_smtp_reply *reply; /* while it opens */
    char trouble[CURL_ERROR_SIZE];
    hs_smtp_sockets sockets;
};

hs_error *hs_smtp_link_init(apr_pool_t *pool)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return hs_error_make(pool, HS_UNAVAILABLE, "libcurl could not be initialised");
    }
    return NULL;
}

/* What curl calls. */

static curl_socket_t open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
    hs_smtp_link *link = data;
    unsigned int unanswered_ms = (unsigned int)link->opts->stall_timeout_s * 1000;
    int fd =
        hs_smtp_sockets_open(&link->sockets, address->family, address->protocol, unanswered_ms);

    (void)purpose;
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static int close_socket(void *data, curl_socket_t fd)
{
    hs_smtp_link *link = data;

    return hs_smtp_sockets_close(&link->sockets, fd);
}

static unsigned int read_offer(const char *line, size_t length)
{
    static const struct {
        const char *keyword;
        hs_smtp_offer offer;
    } known[] = {{"PIPELINING", HS_SMTP_PIPELINING}, {"SIZE", HS_SMTP_SIZE}};
    apr_size_t i;

    for (i = 0; i < sizeof(known) / sizeof(*known); i++) {
        size_t size = strlen(known[i].keyword);

        if (length > 4 + size && !apr_cstr_casecmpn(line + 4, known[i].keyword, size) &&
            strchr(" \r\n", line[4 + size])) {
            return known[i].offer;
        }
    }
    return 0;
}

/* The first line of an EHLO reply is the relay's name. A line that fits no reply ends one, or
 * offers of before STARTTLS would join those of after. */
static size_t take_line(char *line, size_t size, size_t count, void *data)
{
    hs_smtp_link *link = data;
    int is_first = !link->reply->more;

    if (!hs_smtp_reply_add(link->reply, line, size * count)) {
        link->reply->more = 0;
        link->offers = 0;
    } else if (link->reply->code == 250) {
        link->offers = is_first ? 0 : link->offers | read_offer(line, size * count);
    }
    return size * count;
}

/* Returns 1 to make curl give up; called at least once a second, also while a name is looked up. */
static int watch_stop(void *data, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                      curl_off_t up)
{
    hs_smtp_link *link = data;

    (void)down_total;
    (void)down;
    (void)up_total;
    (void)up;
    return hs_smtp_sockets_is_stopped(&link->sockets);
}

/* The handle. */

static const struct {
    CURLoption option;
    long value;
} FIXED_OPTIONS[] = {
    {CURLOPT_CONNECT_ONLY, 1},
    {CURLOPT_NOSIGNAL, 1},
    {CURLOPT_NOPROGRESS, 0},
    {CURLOPT_SSL_VERIFYPEER, 1},
    {CURLOPT_SSL_VERIFYHOST, 2},
    {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
    {CURLOPT_SASL_IR, 1},
    {CURLOPT_TCP_KEEPALIVE, 1},
    /* else giving up, or stopping, waits for the resolver's thread */
    {CURLOPT_QUICK_EXIT, 1},
};

static int set_long(CURL *curl, CURLoption option, long value)
{
    return curl_easy_setopt(curl, option, value) == CURLE_OK;
}

static int set_text(CURL *curl, CURLoption option, const char *text)
{
    return curl_easy_setopt(curl, option, text) == CURLE_OK;
}

static int set_callbacks(hs_smtp_link *link, CURL *curl)
{
    return !curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, link->trouble) &&
           !curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket) &&
           !curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, link) &&
           !curl_easy_setopt(curl, CURLOPT_CLOSESOCKETFUNCTION, close_socket) &&
           !curl_easy_setopt(curl, CURLOPT_CLOSESOCKETDATA, link) &&
           !curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_line) &&
           !curl_easy_setopt(curl, CURLOPT_HEADERDATA, link) &&
           !curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, watch_stop) &&
           !curl_easy_setopt(curl, CURLOPT_XFERINFODATA, link);
}

/* The empty proxy keeps all_proxy in the environment out. Only PLAIN and LOGIN: curl would prefer
 * GSSAPI or NTLM where the relay offers them. */
static int set_relay(hs_smtp_link *link, CURL *curl)
{
    const hs_smtp_opts *opts = link->opts;
    int done = set_text(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps") &&
               set_text(curl, CURLOPT_PROXY, "") && set_text(curl, CURLOPT_URL, link->url) &&
               set_long(curl, CURLOPT_USE_SSL,
                        link->tls == HS_SMTP_TLS_NONE ? CURLUSESSL_NONE : CURLUSESSL_ALL) &&
               set_long(curl, CURLOPT_TIMEOUT, opts->connect_timeout_s) &&
               !curl_easy_setopt(curl, CURLOPT_RESOLVE, link->resolve);

    if (opts->ca_file) { /* and no others: the default folder would go on being trusted */
        done = done && set_text(curl, CURLOPT_CAINFO, opts->ca_file) &&
               set_text(curl, CURLOPT_CAPATH, NULL);
    }
    if (opts->user) {
        done = done && set_text(curl, CURLOPT_USERNAME, opts->user) &&
               set_text(curl, CURLOPT_PASSWORD, opts->password ? opts->password : "") &&
               set_text(curl, CURLOPT_LOGIN_OPTIONS, "AUTH=PLAIN;AUTH=LOGIN");
    }
    return done;
}

/* Fails closed: a handle that lacks one option is not used. */
static int make_handle(hs_smtp_link *link)
{
    CURL *curl = curl_easy_init();
    int done = curl && set_relay(link, curl) && set_callbacks(link, curl);
    apr_size_t i;

    for (i = 0; done && i < sizeof(FIXED_OPTIONS) / sizeof(*FIXED_OPTIONS); i++) {
        done = set_long(curl, FIXED_OPTIONS[i].option, FIXED_OPTIONS[i].value);
    }
    if (!done) {
        curl_easy_cleanup(curl);
        curl = NULL;
    }
    link->curl = curl;
    return done;
}

static apr_status_t destroy(void *data)
{
    hs_smtp_link *link = data;

    hs_smtp_link_close(link);
    curl_slist_free_all(link->resolve);
    return APR_SUCCESS;
}

hs_error *hs_smtp_link_create(hs_smtp_link **out, const hs_smtp_opts *opts, apr_pool_t *pool)
{
    hs_smtp_link *link = apr_pcalloc(pool, sizeof(*link));
    hs_smtp_url url;
    hs_error *error = hs_smtp_url_parse(&url, opts->url, pool);

    if (error) {
        return error;
    }
    link->opts = opts;
    link->tls = url.tls;
    link->url =
        apr_psprintf(pool, "%s://%s:%d/%s", url.tls == HS_SMTP_TLS_IMPLICIT ? "smtps" : "smtp",
                     url.host, url.port, opts->ehlo_name ? opts->ehlo_name : "");
    link->resolve = opts->resolve ? curl_slist_append(NULL, opts->resolve) : NULL;
    if (hs_smtp_sockets_init(&link->sockets, pool) || !make_handle(link)) {
        curl_slist_free_all(link->resolve);
        return hs_error_make(pool, HS_CONFIGURATION,
                             "libcurl lacks SMTP or an option that mail needs, or memory ran out");
    }
    hs_smtp_link_close(link);
    apr_pool_cleanup_register(pool, link, destroy, apr_pool_cleanup_null);
    *out = link;
    return NULL;
}

/* A connection. */

static int fail(hs_smtp_link *link, const char *trouble)
{
    apr_cpystrn(link->trouble, trouble, sizeof(link->trouble));
    return 0;
}

/* curl mostly has written a better text. */
static int fail_by_curl(hs_smtp_link *link, CURLcode rc)
{
    return *link->trouble ? 0 : fail(link, curl_easy_strerror(rc));
}

int hs_smtp_link_open(hs_smtp_link *link, hs_smtp_reply *reply)
{
    CURLcode rc;

    *link->trouble = '\0';
    memset(reply, 0, sizeof(*reply));
    if (!make_handle(link)) {
        return fail(link, "out of memory");
    }
    link->offers = 0;
    link->reply = reply;
    rc = curl_easy_perform(link->curl);
    if (!rc) {
        rc = curl_easy_getinfo(link->curl, CURLINFO_ACTIVESOCKET, &link->fd);
    }
    if (rc) {
        hs_smtp_link_close(link);
        return fail_by_curl(link, rc);
    }
    return 1;
}

void hs_smtp_link_close(hs_smtp_link *link)
{
    curl_easy_cleanup(link->curl);
    link->curl = NULL;
}

void hs_smtp_link_quit(hs_smtp_link *link)
{
    size_t sent;

    if (link->curl) {
        (void)curl_easy_send(link->curl, "QUIT\r\n", 6, &sent);
        hs_smtp_link_close(link);
    }
}

int hs_smtp_link_is_quiet(hs_smtp_link *link)
{
    char octet;
    size_t got;

    return link->curl && curl_easy_recv(link->curl, &octet, 1, &got) == CURLE_AGAIN;
}

/* Wait until the socket can be read or written, or is shut down. */
static int wait_for(hs_smtp_link *link, short event, apr_time_t until)
{
    struct pollfd wanted = {.fd = link->fd, .events = event};
    int found;

    do {
        apr_time_t left_ms = (until - hs_clock_now() + 999) / 1000;

        if (left_ms <= 0) {
            return fail(link, "the relay did not answer in time");
        }
        found = poll(&wanted, 1, left_ms < INT_MAX ? (int)left_ms : INT_MAX);
    } while (found == 0 || (found < 0 && errno == EINTR));
    return found > 0 || fail(link, "poll failed");
}

/* TLS may have to read before it can write, which curl does not tell: poll finds the socket
 * writable all the time then. */
static void pause_for_tls(const hs_smtp_link *link)
{
    struct pollfd wanted = {.fd = link->fd, .events = POLLIN};

    (void)poll(&wanted, 1, TLS_PAUSE_MS);
}

static int send_all(void *data, const char *octets, apr_size_t length, apr_time_t until)
{
    hs_smtp_link *link = data;
    int has_waited = 0;

    *link->trouble = '\0';
    while (length) {
        size_t sent = 0;
        CURLcode rc = curl_easy_send(link->curl, octets, length, &sent);

        if (rc == CURLE_AGAIN) {
            if (has_waited) {
                pause_for_tls(link);
            }
            if (!wait_for(link, POLLOUT, until)) {
                return 0;
            }
        } else if (rc) {
            return fail_by_curl(link, rc);
        }
        has_waited = rc == CURLE_AGAIN;
        octets += sent;
        length -= sent;
    }
    return 1;
}

/* First read, then wait: under TLS octets may have come in that poll knows nothing of. */
static apr_size_t receive(void *data, char *octets, apr_size_t size, apr_time_t until)
{
    hs_smtp_link *link = data;

    *link->trouble = '\0';
    for (;;) {
        size_t got = 0;
        CURLcode rc = curl_easy_recv(link->curl, octets, size, &got);

        if (!rc && got) {
            return got;
        }
        if (rc != CURLE_AGAIN) {
            (void)(rc ? fail_by_curl(link, rc) : fail(link, "the relay closed the connection"));
            return 0;
        }
        if (!wait_for(link, POLLIN, until)) {
            return 0;
        }
    }
}

hs_smtp_wire hs_smtp_link_wire(hs_smtp_link *link)
{
    return (hs_smtp_wire){.link = link, .send = send_all, .receive = receive};
}

unsigned int hs_smtp_link_offers(const hs_smtp_link *link)
{
    return link->offers;
}

const char *hs_smtp_link_trouble(hs_smtp_link *link)
{
    return hs_smtp_link_is_stopped(link) ? "stopping" : link->trouble;
}

void hs_smtp_link_stop(hs_smtp_link *link)
{
    hs_smtp_sockets_stop(&link->sockets);
}

int hs_smtp_link_is_stopped(hs_smtp_link *link)
{
    return hs_smtp_sockets_is_stopped(&link->sockets);
}
