/* hs_courier_fetch.c - layer 8: claims mails, composes them, and hands them to the senders. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_clock.h"
#include "hs_courier_int.h"

#include <apr_strings.h>

#include <string.h>

/* Usual size of a mail; a longer one grows. */
#define MAIL_OCTETS 12288

/* How long a mail waits after a template failed, after a limit. */
#define TEMPLATE_WAIT_US apr_time_from_sec(5 * 60)
#define LIMIT_WAIT_US apr_time_from_sec(60)
#define KEEP_WAIT_US apr_time_from_sec(1)

/* Under load every commit wakes us: a look each time would be a transaction each time. */
#define LOOK_PAUSE_US apr_time_from_msec(10)

/* How often to look for mails of senders that died elsewhere and perhaps of that mail. */
#define SUSPECTS_US apr_time_from_sec(30)

static hs_parcel *new_parcel(hs_courier *courier, hs_post *post, hs_batch *batch,
                             const hs_mail *mail)
{
    hs_parcel *parcel = courier->free;

    courier->free = parcel->next;
    courier->free_count--;
    memset(parcel, 0, sizeof(*parcel));
    parcel->mail = mail;
    parcel->post = post;
    parcel->batch = batch;
    batch->open++;
    parcel->job.relay = post->relay;
    parcel->job.tries = mail->tries;
    parcel->job.baton = parcel;
    return parcel;
}

/* A mail over the recipient's limit will never be sent, one over the others' later. */
static void settle_over_limit(hs_courier *courier, hs_parcel *parcel)
{
    hs_post *post = parcel->post;
    hs_over over = parcel->mail->over_limit;
    int is_said;

    if (over == HS_OVER_RECIPIENT) {
        hs_courier_settle(courier, parcel, "suppressed", "recipient limit");
        return;
    }
    hs_courier_requeue(courier, parcel,
                       LIMIT_WAIT_US + hs_courier_roll(courier) % (LIMIT_WAIT_US / 4),
                       over == HS_OVER_DOMAIN ? "waits: domain limit" : "waits: site limit");
    if (over == HS_OVER_SITE) {
        post->not_before = courier->now + LIMIT_WAIT_US;
    }
    is_said = hs_courier_may_say(courier, &post->limit_told);
    if (is_said) {
        hs_courier_say(courier, HS_COURIER_WARNING,
                       "mails of %s wait: HelpSupportMailLimit %s is reached", post->site->name,
                       over == HS_OVER_DOMAIN ? "domain" : "site");
    }
}

static void settle_uncomposed(hs_courier *courier, hs_parcel *parcel, const hs_error *error)
{
    hs_post *post = parcel->post;

    if (error->code == HS_INVALID) {
        hs_courier_settle(courier, parcel, "failed", error->text);
        hs_courier_say(courier, HS_COURIER_ERROR, "mail %" APR_INT64_T_FMT " of %s failed: %s",
                       parcel->mail->id, post->site->name, error->text);
        return;
    }
    hs_courier_requeue(courier, parcel, TEMPLATE_WAIT_US,
                       "waits: the mail's template has an error");
    if (hs_courier_may_say(courier, &post->templates_told)) {
        hs_courier_say(courier, HS_COURIER_ERROR, "mails of %s wait: %s", post->site->name,
                       error->text);
    }
}

/* Returns the mail with its octets in `batch->pool`, or NULL, and it is settled. */
static const hs_mail *compose(hs_courier *courier, hs_parcel *parcel, apr_pool_t *scratch)
{
    const hs_mail *mail = parcel->mail;
    hs_confirmation_mail what = {
        .ticket = mail->ticket, .language = mail->language, .message_id = mail->message_id};
    hs_buffer octets;
    hs_mail *composed;
    hs_error *error;

    hs_buffer_init(&octets, MAIL_OCTETS, parcel->batch->pool);
    error = hs_confirmation_render(parcel->post->site->templates, &octets, &what, scratch);
    if (error) {
        settle_uncomposed(courier, parcel, error);
        return NULL;
    }
    composed = apr_pmemdup(parcel->batch->pool, mail, sizeof(*mail));
    composed->message = octets.data;
    return composed;
}

/* Settle the mails that must not or can't be sent. Returns the others (of hs_parcel *), composed;
 * *fresh: those of them (hs_mail *) that were composed just now. */
static apr_array_header_t *sort_out(hs_courier *courier, const apr_array_header_t *parcels,
                                    apr_array_header_t **fresh)
{
    apr_array_header_t *good =
        apr_array_make(courier->scratch, parcels->nelts, sizeof(hs_parcel *));
    apr_pool_t *scratch;

    apr_pool_create(&scratch, courier->scratch);
    *fresh = apr_array_make(courier->scratch, parcels->nelts, sizeof(const hs_mail *));
    for (int i = 0; i < parcels->nelts; i++) {
        hs_parcel *parcel = APR_ARRAY_IDX(parcels, i, hs_parcel *);
        const hs_courier_site *site = parcel->post->site;
        const char *refusal =
            hs_delivery_refusal(parcel->mail->recipient, site->from->address,
                                site->reply_to ? site->reply_to->address : NULL, scratch);

        if (refusal) {
            hs_courier_settle(courier, parcel, "suppressed", refusal);
        } else if (parcel->mail->over_limit) {
            settle_over_limit(courier, parcel);
        } else if (parcel->mail->message) {
            APR_ARRAY_PUSH(good, hs_parcel *) = parcel;
        } else {
            const hs_mail *composed = compose(courier, parcel, scratch);

            if (composed) {
                parcel->mail = composed;
                APR_ARRAY_PUSH(*fresh, const hs_mail *) = composed;
                APR_ARRAY_PUSH(good, hs_parcel *) = parcel;
            }
        }
        apr_pool_clear(scratch);
    }
    return good;
}

static void hand_over(hs_courier *courier, hs_parcel *parcel)
{
    const hs_mail *mail = parcel->mail;

    parcel->job.mail = (hs_smtp_mail){.sender = parcel->post->site->bounce,
                                      .recipient = mail->recipient,
                                      .octets = mail->message,
                                      .length = strlen(mail->message)};
    hs_senders_give(courier->senders, &parcel->job);
}

/* Store what was composed before the first octet of it is sent. Returns whether that worked. */
static int keep(hs_courier *courier, const apr_array_header_t *fresh)
{
    hs_error *error;

    if (fresh->nelts == 0) {
        return 1;
    }
    error = hs_outbox_keep(courier->store, fresh, courier->scratch);
    if (!error) {
        return 1;
    }
    hs_courier_note_trouble(courier, error);
    return 0;
}

static void process(hs_courier *courier, const apr_array_header_t *parcels)
{
    apr_array_header_t *fresh;
    apr_array_header_t *good = sort_out(courier, parcels, &fresh);
    int is_kept = keep(courier, fresh);

    for (int i = 0; i < good->nelts; i++) {
        hs_parcel *parcel = APR_ARRAY_IDX(good, i, hs_parcel *);

        if (is_kept) {
            hand_over(courier, parcel);
        } else {
            hs_courier_requeue(courier, parcel, KEEP_WAIT_US, "");
        }
    }
}

static void refresh_templates(hs_courier *courier, hs_post *post)
{
    hs_error *error =
        hs_confirmation_refresh(post->site->templates, courier->now, courier->scratch);

    if (error) {
        hs_courier_say(courier, HS_COURIER_ERROR, "the old templates of %s stay: %s",
                       post->site->name, error->text);
    }
}

/* Claim at most `max` mails of a site and process them. Returns how many there were; -1 where the
 * database had trouble. */
static int claim(hs_courier *courier, hs_post *post, int max, int suspects)
{
    hs_claim what = {.site = post->site->name,
                     .owner = courier->owner,
                     .max = max,
                     .lease_us = HS_COURIER_LEASE_US,
                     .limits = &post->site->limits,
                     .suspects = suspects};
    apr_array_header_t *mails = NULL;
    apr_array_header_t *parcels;
    hs_batch *batch;
    apr_pool_t *pool;
    int parked = 0;
    hs_error *error;

    apr_pool_create(&pool, courier->pool);
    error = hs_outbox_claim(courier->store, &mails, &parked, &what, pool);
    if (parked) {
        hs_courier_say(courier, HS_COURIER_ERROR,
                       "%d mails of %s have failed: each of them ended the mail process five times",
                       parked, post->site->name);
    }
    if (error || !mails || mails->nelts == 0) {
        if (error) {
            hs_courier_note_trouble(courier, error);
        }
        apr_pool_destroy(pool);
        return error ? -1 : 0;
    }
    batch = apr_palloc(pool, sizeof(*batch));
    batch->pool = pool;
    batch->open = 0;
    parcels = apr_array_make(courier->scratch, mails->nelts, sizeof(hs_parcel *));
    for (int i = 0; i < mails->nelts; i++) {
        hs_parcel *parcel =
            new_parcel(courier, post, batch, APR_ARRAY_IDX(mails, i, const hs_mail *));

        parcel->is_suspect = suspects;
        courier->has_suspect |= suspects;
        APR_ARRAY_PUSH(parcels, hs_parcel *) = parcel;
    }
    process(courier, parcels);
    return mails->nelts;
}

static int room_for(hs_courier *courier, const hs_post *post)
{
    int room;

    if (courier->now < post->not_before) {
        return 0;
    }
    room = hs_senders_room(courier->senders, post->relay);
    room = room < courier->free_count ? room : courier->free_count;
    return room < HS_COURIER_CLAIM_MAX ? room : HS_COURIER_CLAIM_MAX;
}

/* One at a time: so the one that kills its sender is found, and the others get through. */
static int fetch_suspect(hs_courier *courier)
{
    if (courier->has_suspect || courier->now < courier->suspects_at) {
        return 0;
    }
    for (int i = 0; i < courier->post_count; i++) {
        hs_post *post = &courier->posts[i];
        int count = room_for(courier, post) > 0 ? claim(courier, post, 1, 1) : 0;

        if (count != 0) {
            return count;
        }
    }
    courier->suspects_at = courier->now + SUSPECTS_US;
    return 0;
}

apr_array_header_t *hs_courier_site_names(hs_courier *courier)
{
    apr_array_header_t *names =
        apr_array_make(courier->scratch, courier->post_count, sizeof(const char *));

    for (int i = 0; i < courier->post_count; i++) {
        APR_ARRAY_PUSH(names, const char *) = courier->posts[i].site->name;
    }
    return names;
}

/* Ask which sites have something due: one statement that only reads, for all of them. */
static int look_around(hs_courier *courier)
{
    apr_array_header_t *due;
    hs_error *error =
        hs_outbox_due(courier->store, &due, hs_courier_site_names(courier), courier->scratch);

    if (error) {
        hs_courier_note_trouble(courier, error);
        return 0;
    }
    courier->looks = 0;
    courier->look_at = courier->now + LOOK_PAUSE_US;
    for (int i = 0; i < due->nelts; i++) {
        for (int k = 0; k < courier->post_count; k++) {
            courier->posts[k].has_more |=
                strcmp(APR_ARRAY_IDX(due, i, const char *), courier->posts[k].site->name) == 0;
        }
    }
    return 1;
}

int hs_courier_can_fetch(hs_courier *courier)
{
    for (int i = 0; i < courier->post_count; i++) {
        if (courier->posts[i].has_more && room_for(courier, &courier->posts[i]) > 0) {
            return 1;
        }
    }
    return 0;
}

void hs_courier_fetch(hs_courier *courier)
{
    if (hs_clock_now() < courier->db_at || fetch_suspect(courier) < 0) {
        return;
    }
    if (courier->looks && courier->now >= courier->look_at && !look_around(courier)) {
        return;
    }
    for (int i = 0; i < courier->post_count; i++) {
        hs_post *post = &courier->posts[(courier->next_post + i) % courier->post_count];
        int room = post->has_more ? room_for(courier, post) : 0;
        int count;

        if (room == 0) {
            continue;
        }
        refresh_templates(courier, post);
        count = claim(courier, post, room, 0);
        if (count < 0) {
            return;
        }
        post->has_more = count == room;
    }
    courier->next_post = (courier->next_post + 1) % courier->post_count;
}
