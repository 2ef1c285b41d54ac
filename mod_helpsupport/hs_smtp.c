/* hs_smtp.c - layer 3: one connection to the mail relay (libcurl). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_smtp.h"

#include "hs_smtp_sockets.h"
#include "hs_smtp_url.h"

#include <apr_signal.h>
#include <apr_strings.h>
#include <curl/curl.h>

#include <string.h>
#include <sys/socket.h>

#define MAX_HOST 253
/* A mail that failed on an old connection is sent again at once only if that was quick: the whole
 * call must stay shorter than a mail's lease. */
#define QUICK_US (10 * APR_USEC_PER_SEC)

/* The mail that is being sent. */
typedef struct transfer {
    const hs_smtp_mail *mail;
    apr_size_t given; /* octets of it that curl took */
    hs_smtp_stage stage;
    int is_new; /* over a connection made for it */
    hs_smtp_reply reply;
} transfer;

struct hs_smtp {
    hs_smtp_opts opts;
    const char *url; /* curl's form, with the EHLO name as its path */
    hs_smtp_tls tls;
    CURL *curl; /* NULL after QUIT, until the next mail */
    struct curl_slist *resolve;
    int mails; /* sent over the present connection */
    transfer now;
    char trouble[CURL_ERROR_SIZE];
    hs_smtp_sockets sockets;
};

hs_error *hs_smtp_init(apr_pool_t *pool)
{
    apr_signal(SIGPIPE, SIG_IGN);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return hs_error_make(pool, HS_UNAVAILABLE, "libcurl could not be initialised");
    }
    return NULL;
}

hs_error *hs_smtp_check_url(const char *url, apr_pool_t *pool)
{
    hs_smtp_url parsed;

    return hs_smtp_url_parse(&parsed, url, pool);
}

/* What curl calls while it sends. */

static curl_socket_t open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
    hs_smtp *smtp = data;
    unsigned int unanswered_ms = (unsigned int)smtp->opts.stall_timeout_s * 1000;
    int fd =
        hs_smtp_sockets_open(&smtp->sockets, address->family, address->protocol, unanswered_ms);

    (void)purpose;
    smtp->now.is_new = 1;
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static int close_socket(void *data, curl_socket_t fd)
{
    hs_smtp *smtp = data;

    return hs_smtp_sockets_close(&smtp->sockets, fd);
}

/* Called when greeting, TLS and login are over, on an old connection at once. */
static int begin_envelope(void *data, char *peer, char *local, int peer_port, int local_port)
{
    hs_smtp *smtp = data;

    (void)peer;
    (void)local;
    (void)peer_port;
    (void)local_port;
    smtp->now.stage = HS_SMTP_SENDER;
    memset(&smtp->now.reply, 0, sizeof(smtp->now.reply));
    return hs_smtp_sockets_is_stopped(&smtp->sockets) ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static int is_envelope(hs_smtp_stage stage)
{
    return stage == HS_SMTP_SENDER || stage == HS_SMTP_ENVELOPE;
}

static size_t take_reply(char *line, size_t size, size_t count, void *data)
{
    hs_smtp *smtp = data;
    hs_smtp_reply *reply = &smtp->now.reply;

    hs_smtp_reply_add(reply, line, size * count);
    /* curl answers a refused MAIL, RCPT or DATA by QUIT and waits for its 221 as long as for any
     * reply, 10 minutes; like this QUIT goes out, and nobody waits. */
    if (is_envelope(smtp->now.stage) && reply->code >= 400 && !reply->more) {
        hs_smtp_sockets_shutdown(&smtp->sockets, SHUT_RD);
    } else if (smtp->now.stage == HS_SMTP_SENDER && reply->code >= 200 && !reply->more) {
        smtp->now.stage = HS_SMTP_ENVELOPE;
    }
    return size * count;
}

static size_t give_octets(char *out, size_t size, size_t count, void *data)
{
    transfer *now = data;
    apr_size_t length = now->mail->length - now->given;

    if (length > size * count) {
        length = size * count;
    }
    memcpy(out, now->mail->octets + now->given, length);
    now->given += length;
    now->stage = now->given == now->mail->length ? HS_SMTP_HANDED_OVER : HS_SMTP_BODY;
    return length;
}

/* Returns 1 to make curl give up; called at least once a second, also while a name is looked up. */
static int watch_stop(void *data, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                      curl_off_t up)
{
    hs_smtp *smtp = data;

    (void)down_total;
    (void)down;
    (void)up_total;
    (void)up;
    return hs_smtp_sockets_is_stopped(&smtp->sockets);
}

/* The handle. */

static const struct {
    CURLoption option;
    long value;
} FIXED_OPTIONS[] = {
    {CURLOPT_NOSIGNAL, 1},
    {CURLOPT_UPLOAD, 1},
    {CURLOPT_NOPROGRESS, 0},
    {CURLOPT_SSL_VERIFYPEER, 1},
    {CURLOPT_SSL_VERIFYHOST, 2},
    {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
    {CURLOPT_SASL_IR, 1},
    {CURLOPT_MAXCONNECTS, 1},
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

/* A body that does not move is noticed by the socket (hs_smtp_sockets_open), not by
 * CURLOPT_LOW_SPEED_TIME: that also counts the wait for the answer to the final dot, and then calls
 * a mail that the relay accepted timed out (7.88, tried), so that it would be sent twice. */
static int set_times(hs_smtp *smtp, CURL *curl)
{
    const hs_smtp_opts *opts = &smtp->opts;

    return set_long(curl, CURLOPT_CONNECTTIMEOUT, opts->connect_timeout_s) &&
           set_long(curl, CURLOPT_SERVER_RESPONSE_TIMEOUT, opts->reply_timeout_s) &&
           set_long(curl, CURLOPT_TIMEOUT, opts->total_timeout_s) &&
           set_long(curl, CURLOPT_MAXAGE_CONN, opts->max_idle_s) &&
           set_long(curl, CURLOPT_MAXLIFETIME_CONN, opts->max_age_s);
}

static int set_callbacks(hs_smtp *smtp, CURL *curl)
{
    return !curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, smtp->trouble) &&
           !curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket) &&
           !curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, smtp) &&
           !curl_easy_setopt(curl, CURLOPT_CLOSESOCKETFUNCTION, close_socket) &&
           !curl_easy_setopt(curl, CURLOPT_CLOSESOCKETDATA, smtp) &&
           !curl_easy_setopt(curl, CURLOPT_PREREQFUNCTION, begin_envelope) &&
           !curl_easy_setopt(curl, CURLOPT_PREREQDATA, smtp) &&
           !curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_reply) &&
           !curl_easy_setopt(curl, CURLOPT_HEADERDATA, smtp) &&
           !curl_easy_setopt(curl, CURLOPT_READFUNCTION, give_octets) &&
           !curl_easy_setopt(curl, CURLOPT_READDATA, &smtp->now) &&
           !curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, watch_stop) &&
           !curl_easy_setopt(curl, CURLOPT_XFERINFODATA, smtp);
}

/* The empty proxy keeps all_proxy in the environment out. Only PLAIN and LOGIN: curl would prefer
 * GSSAPI or NTLM where the relay offers them. */
static int set_relay(hs_smtp *smtp, CURL *curl)
{
    const hs_smtp_opts *opts = &smtp->opts;
    int done = set_text(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps") &&
               set_text(curl, CURLOPT_PROXY, "") && set_text(curl, CURLOPT_URL, smtp->url) &&
               set_long(curl, CURLOPT_USE_SSL,
                        smtp->tls == HS_SMTP_TLS_NONE ? CURLUSESSL_NONE : CURLUSESSL_ALL) &&
               !curl_easy_setopt(curl, CURLOPT_RESOLVE, smtp->resolve);

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
static int make_handle(hs_smtp *smtp)
{
    CURL *curl = curl_easy_init();
    int done = curl && set_relay(smtp, curl) && set_times(smtp, curl) && set_callbacks(smtp, curl);
    apr_size_t i;

    for (i = 0; done && i < sizeof(FIXED_OPTIONS) / sizeof(*FIXED_OPTIONS); i++) {
        done = set_long(curl, FIXED_OPTIONS[i].option, FIXED_OPTIONS[i].value);
    }
    if (!done) {
        curl_easy_cleanup(curl);
        curl = NULL;
    }
    smtp->curl = curl;
    smtp->mails = 0;
    return done;
}

/* curl waits for the answer to QUIT, unless it can't be read. */
static void close_handle(hs_smtp *smtp)
{
    hs_smtp_sockets_shutdown(&smtp->sockets, SHUT_RD);
    curl_easy_cleanup(smtp->curl);
    smtp->curl = NULL;
}

static apr_status_t destroy(void *data)
{
    hs_smtp *smtp = data;

    close_handle(smtp);
    curl_slist_free_all(smtp->resolve);
    return APR_SUCCESS;
}

static void fill_defaults(hs_smtp_opts *opts)
{
    const struct {
        int *value;
        int fallback;
    } numbers[] = {
        {&opts->connect_timeout_s, 30}, {&opts->reply_timeout_s, 600},
        {&opts->total_timeout_s, 660},  {&opts->stall_timeout_s, 60},
        {&opts->max_idle_s, 30},        {&opts->max_age_s, 300},
        {&opts->max_mails, 100},
    };
    apr_size_t i;

    for (i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        if (*numbers[i].value <= 0) {
            *numbers[i].value = numbers[i].fallback;
        }
    }
}

/* It becomes a piece of a URL and of an SMTP command. No host name has "_", but a ServerName may.
 */
static int is_ehlo_name(const char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";

    return *name && strlen(name) <= MAX_HOST && !name[strspn(name, allowed)];
}

hs_error *hs_smtp_create(hs_smtp **out, const hs_smtp_opts *opts, apr_pool_t *pool)
{
    hs_smtp *smtp = apr_pcalloc(pool, sizeof(*smtp));
    hs_smtp_url url;
    hs_error *error = hs_smtp_url_parse(&url, opts->url, pool);

    if (error) {
        return error;
    }
    if (opts->ehlo_name && !is_ehlo_name(opts->ehlo_name)) {
        return hs_error_make(pool, HS_CONFIGURATION,
                             "\"%s\" can't be said in EHLO: not a host name", opts->ehlo_name);
    }
    smtp->opts = *opts;
    fill_defaults(&smtp->opts);
    smtp->tls = url.tls;
    smtp->url =
        apr_psprintf(pool, "%s://%s:%d/%s", url.tls == HS_SMTP_TLS_IMPLICIT ? "smtps" : "smtp",
                     url.host, url.port, opts->ehlo_name ? opts->ehlo_name : "");
    smtp->resolve = opts->resolve ? curl_slist_append(NULL, opts->resolve) : NULL;
    if (hs_smtp_sockets_init(&smtp->sockets, pool) || !make_handle(smtp)) {
        curl_slist_free_all(smtp->resolve);
        return hs_error_make(pool, HS_CONFIGURATION,
                             "libcurl lacks SMTP or an option that mail needs, or memory ran out");
    }
    apr_pool_cleanup_register(pool, smtp, destroy, apr_pool_cleanup_null);
    *out = smtp;
    return NULL;
}

/* Sending. */

static void set_outcome(hs_smtp_outcome *out, hs_smtp_class class, const char *text)
{
    /* our words or curl's: they don't name the recipient */
    memset(out, 0, sizeof(*out));
    out->class = class;
    hs_smtp_reply_mask(out->reply, text, 0, NULL);
}

static void judge(hs_smtp_outcome *out, hs_smtp *smtp, CURLcode rc)
{
    const hs_smtp_reply *reply = &smtp->now.reply;
    int answered = rc == CURLE_SEND_ERROR || rc == CURLE_WEIRD_SERVER_REPLY;

    if (rc == CURLE_OK) {
        set_outcome(out, HS_SMTP_SENT, "");
    } else {
        set_outcome(out, hs_smtp_reply_classify(reply, smtp->now.stage, answered),
                    *smtp->trouble ? smtp->trouble : curl_easy_strerror(rc));
    }
    if (rc == CURLE_OK || reply->code >= 400) {
        hs_smtp_reply_mask(out->reply, reply->text, reply->cut, smtp->now.mail->recipient);
        out->policy = hs_smtp_reply_is_policy(reply);
    }
    out->is_sender_refused =
        out->class == HS_SMTP_TEMPORARY && smtp->now.stage == HS_SMTP_SENDER && reply->code >= 500;
    out->code = reply->code;
    /* Only after these two does the relay owe no answer. On any other connection a late answer to
     * this mail would be taken for the answer to the next one. */
    if (rc != CURLE_OK &&
        !(rc == CURLE_WEIRD_SERVER_REPLY && reply->code >= 400 && reply->code != 421)) {
        hs_smtp_sockets_shutdown(&smtp->sockets, SHUT_RDWR);
    }
}

static int set_mail(CURL *curl, const hs_smtp_mail *mail, struct curl_slist *recipients)
{
    return recipients && set_text(curl, CURLOPT_MAIL_FROM, mail->sender) &&
           !curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, recipients) &&
           !curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)mail->length);
}

/* Returns whether the mail is to be sent again at once: an old connection turned out unusable,
 * which says nothing about the relay either. */
static int attempt(hs_smtp_outcome *out, hs_smtp *smtp, const hs_smtp_mail *mail)
{
    struct curl_slist *recipients = curl_slist_append(NULL, mail->recipient);
    apr_time_t start = apr_time_now();
    CURLcode rc = CURLE_OUT_OF_MEMORY;

    memset(&smtp->now, 0, sizeof(smtp->now));
    smtp->now.mail = mail;
    *smtp->trouble = '\0';
    hs_smtp_sockets_drop_stale(&smtp->sockets);
    if (set_mail(smtp->curl, mail, recipients)) {
        rc = curl_easy_perform(smtp->curl);
    }
    smtp->mails = smtp->now.is_new ? 1 : smtp->mails + 1;
    judge(out, smtp, rc);
    (void)curl_easy_setopt(smtp->curl, CURLOPT_MAIL_RCPT, NULL);
    curl_slist_free_all(recipients);
    return !smtp->now.is_new && smtp->now.stage >= HS_SMTP_SENDER && out->class == HS_SMTP_RELAY &&
           apr_time_now() - start < QUICK_US;
}

void hs_smtp_send(hs_smtp_outcome *out, hs_smtp *smtp, const hs_smtp_mail *mail)
{
    const char *problem = hs_smtp_mail_problem(mail);

    if (problem) {
        set_outcome(out, HS_SMTP_PERMANENT, problem);
        return;
    }
    if (smtp->mails >= smtp->opts.max_mails) {
        hs_smtp_quit(smtp);
    }
    if (hs_smtp_sockets_is_stopped(&smtp->sockets)) {
        set_outcome(out, HS_SMTP_RELAY, "stopping; nothing was sent");
        return;
    }
    if (!smtp->curl && !make_handle(smtp)) {
        set_outcome(out, HS_SMTP_RELAY, "nothing was sent: out of memory");
        return;
    }
    if (attempt(out, smtp, mail) && !hs_smtp_sockets_is_stopped(&smtp->sockets)) {
        (void)attempt(out, smtp, mail);
    }
}

void hs_smtp_quit(hs_smtp *smtp)
{
    if (smtp->curl) {
        close_handle(smtp);
    }
}

void hs_smtp_abort(hs_smtp *smtp)
{
    hs_smtp_sockets_stop(&smtp->sockets);
}
