/* hs_smtp.c - layer 5: one connection to the mail relay. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_smtp.h"

#include "hs_clock.h"
#include "hs_smtp_dialogue.h"
#include "hs_smtp_link.h"
#include "hs_smtp_url.h"

#include <apr_signal.h>

#include <string.h>

#define MAX_HOST 253
/* A mail that failed on an old connection is sent again at once only if that was quick: the whole
 * call must stay shorter than a mail's lease. */
#define QUICK_US (10 * APR_USEC_PER_SEC)

struct hs_smtp {
    hs_smtp_opts opts;
    hs_smtp_link *link;
    /* of the present connection */
    apr_time_t opened;
    apr_time_t used;
    int mails;
    hs_smtp_dialogue dialogue;
};

hs_error *hs_smtp_init(apr_pool_t *pool)
{
    apr_signal(SIGPIPE, SIG_IGN);
    return hs_smtp_link_init(pool);
}

hs_error *hs_smtp_check_url(const char *url, apr_pool_t *pool)
{
    hs_smtp_url parsed;

    return hs_smtp_url_parse(&parsed, url, pool);
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
    hs_error *error;

    if (opts->ehlo_name && !is_ehlo_name(opts->ehlo_name)) {
        return hs_error_make(pool, HS_CONFIGURATION,
                             "\"%s\" can't be said in EHLO: not a host name", opts->ehlo_name);
    }
    smtp->opts = *opts;
    fill_defaults(&smtp->opts);
    error = hs_smtp_link_create(&smtp->link, &smtp->opts, pool);
    if (error) {
        return error;
    }
    smtp->dialogue.wire = hs_smtp_link_wire(smtp->link);
    smtp->dialogue.patience = apr_time_from_sec(smtp->opts.reply_timeout_s);
    *out = smtp;
    return NULL;
}

static void set_outcome(hs_smtp_outcome *out, hs_smtp_class class, const char *text)
{
    /* our words or curl's: they don't name the recipient */
    memset(out, 0, sizeof(*out));
    out->class = class;
    hs_smtp_reply_mask(out->reply, text, 0, NULL);
}

static void judge(hs_smtp_outcome *out, hs_smtp *smtp, hs_smtp_class class, const char *recipient)
{
    const hs_smtp_dialogue *dialogue = &smtp->dialogue;
    const hs_smtp_reply *reply = &dialogue->reply;

    set_outcome(out, class,
                dialogue->trouble ? dialogue->trouble : hs_smtp_link_trouble(smtp->link));
    out->code = reply->code;
    if (class == HS_SMTP_SENT || reply->code >= 400) {
        hs_smtp_reply_mask(out->reply, reply->text, reply->cut, recipient);
        out->policy = hs_smtp_reply_is_policy(reply);
    }
    out->is_sender_refused = class == HS_SMTP_TEMPORARY && dialogue->stage == HS_SMTP_SENDER &&
                             dialogue->answered && reply->code >= 500;
}

/* Whether the kept connection, if any, is fit for a mail; else it is closed. */
static int keeps(hs_smtp *smtp, apr_time_t now)
{
    const hs_smtp_opts *opts = &smtp->opts;

    if (!hs_smtp_link_is_quiet(smtp->link)) {
        hs_smtp_link_close(smtp->link);
        return 0;
    }
    if (smtp->mails >= opts->max_mails || now - smtp->used > apr_time_from_sec(opts->max_idle_s) ||
        now - smtp->opened > apr_time_from_sec(opts->max_age_s)) {
        hs_smtp_link_quit(smtp->link);
        return 0;
    }
    return 1;
}

static int connect_to(hs_smtp *smtp)
{
    smtp->dialogue.stage = HS_SMTP_CONNECTING;
    smtp->dialogue.trouble = NULL;
    smtp->opened = hs_clock_now();
    smtp->mails = 0;
    return hs_smtp_link_open(smtp->link, &smtp->dialogue.reply);
}

/* A stop says nothing about the mail, unless the relay had refused it before. */
static hs_smtp_class excuse(const hs_smtp *smtp, hs_smtp_class class)
{
    int is_excused = hs_smtp_link_is_stopped(smtp->link) && smtp->dialogue.reply.code < 400;

    return class == HS_SMTP_TEMPORARY && is_excused ? HS_SMTP_RELAY : class;
}

/* A connection is kept only after an answer to a mail, and when no other is to come. */
static hs_smtp_class run(hs_smtp *smtp, const hs_smtp_mail *mail)
{
    hs_smtp_dialogue *dialogue = &smtp->dialogue;
    hs_smtp_class class;

    dialogue->offers = hs_smtp_link_offers(smtp->link);
    class = excuse(smtp, hs_smtp_dialogue_run(dialogue, mail));
    smtp->used = hs_clock_now();
    smtp->mails++;
    if (!hs_smtp_dialogue_is_in_step(dialogue)) {
        hs_smtp_link_close(smtp->link);
    } else if (dialogue->stage != HS_SMTP_HANDED_OVER || dialogue->reply.code == 421) {
        hs_smtp_link_quit(smtp->link);
    }
    return class;
}

/* Returns whether the mail is to be sent again at once: an old connection turned out unusable,
 * which says nothing about the relay either. */
static int attempt(hs_smtp_outcome *out, hs_smtp *smtp, const hs_smtp_mail *mail)
{
    apr_time_t start = hs_clock_now();
    int is_old = keeps(smtp, start);
    hs_smtp_class class = HS_SMTP_RELAY;

    smtp->dialogue.until = start + apr_time_from_sec(smtp->opts.total_timeout_s);
    if (is_old || connect_to(smtp)) {
        class = run(smtp, mail);
    }
    judge(out, smtp, class, mail->recipient);
    return is_old && class == HS_SMTP_RELAY && hs_clock_now() - start < QUICK_US;
}

void hs_smtp_send(hs_smtp_outcome *out, hs_smtp *smtp, const hs_smtp_mail *mail)
{
    const char *problem = hs_smtp_mail_problem(mail);

    if (problem) {
        set_outcome(out, HS_SMTP_PERMANENT, problem);
        return;
    }
    if (hs_smtp_link_is_stopped(smtp->link)) {
        set_outcome(out, HS_SMTP_RELAY, "stopping; nothing was sent");
        return;
    }
    if (attempt(out, smtp, mail) && !hs_smtp_link_is_stopped(smtp->link)) {
        (void)attempt(out, smtp, mail);
    }
}

void hs_smtp_quit(hs_smtp *smtp)
{
    hs_smtp_link_quit(smtp->link);
}

void hs_smtp_abort(hs_smtp *smtp)
{
    hs_smtp_link_stop(smtp->link);
}
