/* hs_delivery.c - layer 4: what to do with a mail after a try, and to whom none goes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_delivery.h"

#include "hs_email.h"

#include <string.h>

#define FIRST_US apr_time_from_sec(60)
#define MAX_DOUBLINGS 6 /* an hour is reached */

/* `base` ± 25 %. */
static apr_interval_time_t spread(apr_interval_time_t base, apr_uint32_t random)
{
    return base * 3 / 4 + (apr_interval_time_t)(random % (apr_uint64_t)(base / 2 + 1));
}

static apr_interval_time_t back_off(int tries, apr_uint32_t random)
{
    apr_interval_time_t wait = FIRST_US << (tries < MAX_DOUBLINGS ? tries : MAX_DOUBLINGS);

    wait = spread(wait, random);
    return wait < HS_DELIVERY_LONGEST_US ? wait : HS_DELIVERY_LONGEST_US;
}

static void queue(hs_verdict *verdict, apr_interval_time_t delay_us, const char *prefix)
{
    verdict->state = "queued";
    verdict->delay_us = delay_us;
    verdict->counts_as_try = 1;
    verdict->prefix = prefix;
}

void hs_delivery_judge(hs_verdict *verdict, const hs_smtp_outcome *outcome, int tries,
                       apr_uint32_t random)
{
    memset(verdict, 0, sizeof(*verdict));
    verdict->prefix = "";
    switch (outcome->class) {
    case HS_SMTP_SENT:
        verdict->state = "sent";
        break;
    case HS_SMTP_PERMANENT:
        verdict->state = "failed";
        verdict->prefix = "refused: ";
        break;
    case HS_SMTP_TEMPORARY:
        queue(verdict, back_off(tries, random),
              outcome->is_sender_refused ? "the relay refuses the sender: "
                                         : "the relay asks to try later: ");
        break;
    case HS_SMTP_AMBIGUOUS:
        queue(verdict, back_off(tries, random), "maybe delivered, the relay's answer was lost: ");
        if (verdict->delay_us < HS_DELIVERY_AMBIGUOUS_US) {
            verdict->delay_us = HS_DELIVERY_AMBIGUOUS_US + (apr_interval_time_t)(random % FIRST_US);
        }
        /* not the mail's fault alone: a relay that swallows mails must not get them all */
        verdict->is_relay_trouble = 1;
        break;
    case HS_SMTP_RELAY:
    default:
        queue(verdict, 0, "the relay can't be used: ");
        verdict->counts_as_try = 0;
        verdict->is_relay_trouble = 1;
        break;
    }
}

static int is_role(const char *address)
{
    static const char *const roles[] = {"postmaster", "mailer-daemon", "abuse", "noreply"};

    for (apr_size_t i = 0; i < sizeof(roles) / sizeof(*roles); i++) {
        apr_size_t length = strlen(roles[i]);

        if (strncmp(address, roles[i], length) == 0 && address[length] == '@') {
            return 1;
        }
    }
    return 0;
}

const char *hs_delivery_refusal(const char *recipient, const char *from, const char *reply_to,
                                apr_pool_t *pool)
{
    const char *address = hs_email_recipient(recipient, pool);

    if (is_role(address)) {
        return "no mail goes to postmaster, mailer-daemon, abuse or noreply";
    }
    if (strcmp(address, hs_email_recipient(from, pool)) == 0 ||
        (reply_to && strcmp(address, hs_email_recipient(reply_to, pool)) == 0)) {
        return "the recipient is this site's own address";
    }
    return NULL;
}
