/* hs_ctl_mail.c - layer 10: helpsupportctl's commands on mails. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_ctl_mail.h"

#include "hs_outbox.h"
#include "hs_time.h"

#include <apr_strings.h>

#include <stdio.h>
#include <string.h>

#define SHOWN_MAX 10000
#define ID_DIGITS_MAX 18

static int read_state(const char **state, const char *text)
{
    static const char *const states[] = {"queued", "sent", "failed", "suppressed"};

    *state = NULL;
    if (!text) {
        return HS_CTL_OK;
    }
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (strcmp(text, states[i]) == 0) {
            *state = states[i];
            return HS_CTL_OK;
        }
    }
    return hs_ctl_fail(HS_CTL_USAGE, "--state is queued, sent, failed or suppressed");
}

static void print_mail(const hs_mail_row *mail)
{
    char created[HS_TIME_SIZE];
    char since[HS_TIME_SIZE];

    hs_time_format(created, mail->created_us);
    hs_time_format(since, mail->state_us);
    printf("%-8" APR_INT64_T_FMT "  %-8" APR_INT64_T_FMT "  %-10s  %-20s  %-20s  %5d  %s  %s  %s\n",
           mail->id, mail->ticket_number, mail->state, since, created, mail->tries, mail->site,
           mail->recipient[0] ? mail->recipient : "-", mail->detail[0] ? mail->detail : "-");
}

int hs_ctl_mail_list(hs_ctl *ctl)
{
    apr_array_header_t *mails;
    const char *state;
    int status = read_state(&state, hs_ctl_take_option(ctl, "--state"));

    if (status == HS_CTL_OK && !hs_ctl_took_all(ctl)) {
        status = HS_CTL_USAGE;
    }
    if (status == HS_CTL_OK) {
        status = hs_ctl_report(hs_outbox_list(ctl->store, &mails, state, SHOWN_MAX, ctl->pool));
    }
    if (status != HS_CTL_OK) {
        return status;
    }
    printf("%-8s  %-8s  %-10s  %-20s  %-20s  %5s  %s  %s  %s\n", "ID", "TICKET", "STATE", "SINCE",
           "CREATED", "TRIES", "SITE", "RECIPIENT", "DETAIL");
    for (int i = 0; i < mails->nelts; i++) {
        print_mail(APR_ARRAY_IDX(mails, i, const hs_mail_row *));
    }
    if (mails->nelts == SHOWN_MAX) {
        fprintf(stderr, "These are the newest %d; there may be more.\n", SHOWN_MAX);
    }
    return fflush(stdout) == 0 ? HS_CTL_OK : HS_CTL_FAILED;
}

static int is_id(const char *text)
{
    size_t length = strlen(text);

    return length > 0 && length <= ID_DIGITS_MAX && strspn(text, "0123456789") == length;
}

/* All of them before the first is queued: a slip of the finger must not queue half of a list. */
static int take_ids(hs_ctl *ctl, apr_array_header_t *ids)
{
    const char *word;

    while ((word = hs_ctl_take_word(ctl)) != NULL) {
        if (!is_id(word)) {
            return hs_ctl_fail(HS_CTL_USAGE, "\"%s\" is not a mail's ID; see mail list", word);
        }
        APR_ARRAY_PUSH(ids, apr_int64_t) = apr_atoi64(word);
    }
    if (!hs_ctl_took_all(ctl)) {
        return HS_CTL_USAGE;
    }
    return ids->nelts > 0 ? HS_CTL_OK
                          : hs_ctl_fail(HS_CTL_USAGE, "which mails? IDs as in mail list");
}

static int retry(hs_ctl *ctl, apr_int64_t id)
{
    hs_error *error = hs_outbox_retry(ctl->store, id, ctl->pool);

    if (error && error->code == HS_NOT_FOUND) {
        return hs_ctl_fail(HS_CTL_FAILED,
                           "mail %" APR_INT64_T_FMT ": none that failed or was suppressed and "
                           "still has its recipient",
                           id);
    }
    return hs_ctl_report(error);
}

int hs_ctl_mail_retry(hs_ctl *ctl)
{
    apr_array_header_t *ids = apr_array_make(ctl->pool, 4, sizeof(apr_int64_t));
    int worst = take_ids(ctl, ids);
    int queued = 0;

    if (worst != HS_CTL_OK) {
        return worst;
    }
    for (int i = 0; i < ids->nelts; i++) {
        int status = retry(ctl, APR_ARRAY_IDX(ids, i, apr_int64_t));

        queued += status == HS_CTL_OK;
        worst = status > worst ? status : worst;
    }
    fprintf(stderr, "Queued again: %d of %d.\n", queued, ids->nelts);
    return worst;
}
