/* test_delivery.c - what to do with a mail after a try, and to whom none goes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_delivery.h"

#include "tap.h"

#include <apr_general.h>

#define MINUTE apr_time_from_sec(60)

typedef struct range {
    apr_interval_time_t from;
    apr_interval_time_t to;
} range;

static hs_verdict judge(hs_smtp_class class, int tries, apr_uint32_t random)
{
    hs_smtp_outcome outcome = {.class = class};
    hs_verdict verdict;

    hs_delivery_judge(&verdict, &outcome, tries, random);
    return verdict;
}

static range delays(hs_smtp_class class, int tries)
{
    range all = {APR_INT64_MAX, 0};

    for (apr_uint32_t dice = 0; dice < 4200000000u; dice += 4199999u) {
        apr_interval_time_t delay = judge(class, tries, dice).delay_us;

        all.from = delay < all.from ? delay : all.from;
        all.to = delay > all.to ? delay : all.to;
    }
    return all;
}

static void test_classes(void)
{
    hs_verdict verdict = judge(HS_SMTP_SENT, 3, 7);
    hs_smtp_outcome refused = {0};

    tap_is_str(verdict.state, "sent", "sent");
    tap_ok(!verdict.is_relay_trouble && !*verdict.prefix, "and no more to say");
    verdict = judge(HS_SMTP_PERMANENT, 0, 7);
    tap_is_str(verdict.state, "failed", "refused for good");
    tap_is_int(verdict.is_relay_trouble, 0, "by a relay that works");
    verdict = judge(HS_SMTP_RELAY, 0, 7);
    tap_is_str(verdict.state, "queued", "relay trouble: again");
    tap_is_int(verdict.counts_as_try, 0, "without a try");
    tap_is_int(verdict.delay_us, 0, "as soon as the relay works");
    tap_is_int(verdict.is_relay_trouble, 1, "which is to be seen");
    verdict = judge(HS_SMTP_TEMPORARY, 0, 7);
    tap_is_str(verdict.state, "queued", "temporary: again");
    tap_is_int(verdict.counts_as_try, 1, "a try");
    tap_is_int(verdict.is_relay_trouble, 0, "of a relay that works");
    refused.class = HS_SMTP_TEMPORARY;
    refused.is_sender_refused = 1;
    hs_delivery_judge(&verdict, &refused, 0, 7);
    tap_is_str(verdict.state, "queued", "a refused sender: again");
    tap_is_str(verdict.prefix, "the relay refuses the sender: ", "it is no \"later\"");
    verdict = judge(HS_SMTP_AMBIGUOUS, 0, 7);
    tap_is_str(verdict.state, "queued", "answer lost: again");
    tap_is_int(verdict.counts_as_try, 1, "a try, too");
    tap_ok(strstr(verdict.prefix, "maybe delivered") != NULL, "and it is said");
}

static void test_waits(void)
{
    range all = delays(HS_SMTP_TEMPORARY, 0);

    tap_ok(all.from >= 45000000 && all.from < 46000000 && all.to > 74000000 && all.to <= 75000000,
           "a minute, give or take a quarter");
    all = delays(HS_SMTP_TEMPORARY, 3);
    tap_ok(all.from >= 6 * MINUTE && all.to <= 10 * MINUTE && all.to > 9 * MINUTE,
           "eight minutes after three tries");
    all = delays(HS_SMTP_TEMPORARY, 1000);
    tap_ok(all.from >= 45 * MINUTE && all.to == 60 * MINUTE, "an hour at most");
    all = delays(HS_SMTP_AMBIGUOUS, 0);
    tap_ok(all.from >= 10 * MINUTE && all.to <= 11 * MINUTE, "10 minutes after a lost answer");
    all = delays(HS_SMTP_AMBIGUOUS, 6);
    tap_ok(all.from >= 45 * MINUTE, "or more");
}

static int is_refused(const char *recipient, apr_pool_t *pool)
{
    return hs_delivery_refusal(recipient, "Help@desk.example", "support@desk.example", pool) !=
           NULL;
}

static void test_refusals(apr_pool_t *pool)
{
    tap_ok(is_refused("help@desk.example", pool), "From");
    tap_ok(is_refused("HELP@Desk.example", pool), "in any case");
    tap_ok(is_refused("support+x@desk.example", pool), "Reply-To, with a tag");
    tap_ok(is_refused("postmaster@other.example", pool), "postmaster");
    tap_ok(is_refused("Mailer-Daemon@other.example", pool), "mailer-daemon");
    tap_ok(is_refused("abuse+1@other.example", pool), "abuse");
    tap_ok(is_refused("noreply@other.example", pool), "noreply");
    tap_ok(!is_refused("jane@desk.example", pool), "not somebody else there");
    tap_ok(!is_refused("help@other.example", pool), "not the same name elsewhere");
    tap_ok(!is_refused("abuse.dept@other.example", pool), "not what only begins like it");
    tap_ok(!is_refused("noreply2@other.example", pool), "nor this");
    tap_ok(!hs_delivery_refusal("support@desk.example", "help@desk.example", NULL, pool),
           "no Reply-To, no refusal");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_classes();
    test_waits();
    test_refusals(pool);
    return tap_done();
}
