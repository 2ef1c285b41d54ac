/* hs_outbox_claim.c - layer 7: leases mails to a sender, and counts them against the limits. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_buffer.h"
#include "hs_json.h"
#include "hs_outbox.h"
#include "hs_random.h"
#include "hs_sql.h"
#include "hs_store_int.h"

#include <apr_strings.h>

#include <string.h>

/* A mail that was claimed so often without a result is given up. */
#define POISON_CLAIMS 5
#define POISON_DETAIL "given up: each time it was to be sent, the mail process died"

#define LEASE_OCTETS 16

/* A claim while its transaction runs. Lease and end are those of the first try in all others, by
 * which they find what it got. */
typedef struct taking {
    const hs_claim *claim;
    const char *lease;
    apr_int64_t until; /* 0: before the first try */
    apr_int64_t now;
    int parked;
    apr_array_header_t *mails; /* of hs_mail *, like the two below */
    const char **recipient_keys;
    const char **domains;
    int *has_passed; /* counted before */
} taking;

/* The local part is the row's; the right side is the site, as far as it can stand there. */
static const char *full_message_id(const char *local, const char *site, apr_pool_t *pool)
{
    char *id = apr_pstrcat(pool, local, "@", site, NULL);

    for (char *c = id + strlen(local) + 1; *c; c++) {
        int is_plain = (*c >= '0' && *c <= '9') || ((*c | 0x20) >= 'a' && (*c | 0x20) <= 'z') ||
                       *c == '.' || *c == '-';

        if (!is_plain) {
            *c = '-'; /* "[::1]" */
        }
    }
    return id;
}

static hs_ticket *read_ticket(const hs_rows *rows, int row, apr_pool_t *pool)
{
    hs_ticket *ticket = apr_pcalloc(pool, sizeof(*ticket));

    ticket->email = hs_rows_text(rows, row, 2);
    ticket->number = hs_rows_number(rows, row, 10);
    ticket->id = hs_rows_text(rows, row, 11);
    ticket->name = hs_rows_text(rows, row, 12);
    ticket->message = hs_rows_text(rows, row, 13);
    ticket->created_us = hs_rows_number(rows, row, 14);
    return ticket;
}

static hs_mail *read_mail(const hs_rows *rows, int row, const taking *take, apr_pool_t *pool)
{
    hs_mail *mail = apr_pcalloc(pool, sizeof(*mail));

    mail->id = hs_rows_number(rows, row, 0);
    mail->lease = take->lease;
    mail->site = take->claim->site;
    mail->kind = hs_rows_text(rows, row, 1);
    mail->recipient = hs_rows_text(rows, row, 2);
    mail->language = hs_rows_text(rows, row, 3);
    mail->message_id = full_message_id(hs_rows_text(rows, row, 4), mail->site, pool);
    mail->message = hs_rows_text(rows, row, 5);
    mail->tries = (int)hs_rows_number(rows, row, 6);
    mail->ticket = read_ticket(rows, row, pool);
    return mail;
}

static void read_mails(taking *take, const hs_rows *rows, apr_pool_t *pool)
{
    apr_size_t count = (apr_size_t)rows->count;

    take->mails = apr_array_make(pool, rows->count + 1, sizeof(hs_mail *));
    take->recipient_keys = apr_palloc(pool, (count + 1) * sizeof(char *));
    take->domains = apr_palloc(pool, (count + 1) * sizeof(char *));
    take->has_passed = apr_palloc(pool, (count + 1) * sizeof(int));
    for (int i = 0; i < rows->count; i++) {
        APR_ARRAY_PUSH(take->mails, hs_mail *) = read_mail(rows, i, take, pool);
        take->has_passed[i] = hs_rows_text(rows, i, 7) != NULL;
        take->recipient_keys[i] = hs_rows_text(rows, i, 8);
        take->domains[i] = hs_rows_text(rows, i, 9);
    }
}

/* ---- limits ---- */

static const char *string_list(const char *const *keys, int count, apr_pool_t *pool)
{
    hs_buffer json;

    hs_buffer_init(&json, 64 * (apr_size_t)count + 2, pool);
    hs_buffer_putc(&json, '[');
    for (int i = 0; i < count; i++) {
        if (i > 0) {
            hs_buffer_putc(&json, ',');
        }
        hs_json_put_string(&json, keys[i]);
    }
    hs_buffer_putc(&json, ']');
    return json.data;
}

static apr_time_t submitted_us(const taking *take, int i)
{
    return APR_ARRAY_IDX(take->mails, i, hs_mail *)->ticket->created_us;
}

/* Each mail's recipient, and the time in which mails to it count: the period before the mail was
 * submitted. */
static const char *recipient_list(const taking *take, const hs_rate *rate, apr_pool_t *pool)
{
    hs_buffer json;

    hs_buffer_init(&json, 96 * (apr_size_t)take->mails->nelts + 2, pool);
    for (int i = 0; i < take->mails->nelts; i++) {
        hs_buffer_puts(&json, i == 0 ? "[[" : ",[");
        hs_json_put_string(&json, take->recipient_keys[i]);
        hs_buffer_putc(&json, ',');
        hs_buffer_put_number(&json, submitted_us(take, i) - rate->period_us);
        hs_buffer_putc(&json, ',');
        hs_buffer_put_number(&json, submitted_us(take, i));
        hs_buffer_putc(&json, ']');
    }
    hs_buffer_putc(&json, ']');
    return json.data;
}

/* A kind of limit: what it counts by, and how. */
typedef struct counter {
    const apr_array_header_t *rates;
    int sql;
    const char *const *keys; /* one for each mail */
    hs_over over;
} counter;

/* Whether mail `k` counts for mail `i`, which comes later. Domains and sites are counted by when
 * mails go out: those over their limit wait. A recipient's are counted by when they were submitted,
 * since those over its limit are lost: after an outage many go out at once that nobody sent so. */
static int counts_for(const taking *take, const counter *by, const hs_rate *rate, int k, int i)
{
    apr_time_t before_us = submitted_us(take, i) - submitted_us(take, k);

    return !take->has_passed[k] && !APR_ARRAY_IDX(take->mails, k, hs_mail *)->over_limit &&
           strcmp(by->keys[k], by->keys[i]) == 0 &&
           (by->over != HS_OVER_RECIPIENT || (before_us >= 0 && before_us < rate->period_us));
}

/* Mark the mails that are over `rate`: by what passed before, and by those of this claim that come
 * first and are over none yet. */
static void mark_over(taking *take, const counter *by, const hs_rate *rate,
                      const apr_int64_t *passed)
{
    for (int i = 0; i < take->mails->nelts; i++) {
        hs_mail *mail = APR_ARRAY_IDX(take->mails, i, hs_mail *);
        apr_int64_t count = passed[i];

        if (take->has_passed[i] || mail->over_limit) {
            continue;
        }
        for (int k = 0; k < i; k++) {
            count += counts_for(take, by, rate, k, i);
        }
        if (count >= rate->requests) {
            mail->over_limit = by->over;
        }
    }
}

static hs_error *apply_rate(hs_store *store, hs_conn *conn, taking *take, const counter *by,
                            const hs_rate *rate, apr_pool_t *pool)
{
    apr_int64_t since = take->now - rate->period_us;
    int count = take->mails->nelts;
    apr_int64_t *passed = apr_pcalloc(pool, (apr_size_t)count * sizeof(*passed));
    int is_shared = by->over == HS_OVER_SITE; /* all keys are the same: count once */
    const void *values[] = {&since, &rate->requests, NULL};
    hs_rows *rows;
    hs_error *error;

    if (by->over == HS_OVER_RECIPIENT) {
        values[0] = &rate->requests;
        values[1] = recipient_list(take, rate, pool);
    } else {
        values[2] = string_list(by->keys, is_shared ? 1 : count, pool);
    }
    error = hs_conn_select(conn, &rows, hs_store_sql(store, by->sql), values, pool);
    if (error) {
        return error;
    }
    for (int i = 0; i < count && rows->count > 0; i++) {
        passed[i] = hs_rows_number(rows, is_shared ? 0 : i, 1);
    }
    mark_over(take, by, rate, passed);
    return NULL;
}

static hs_error *apply_rates(hs_store *store, hs_conn *conn, taking *take, const counter *by,
                             apr_pool_t *pool)
{
    hs_error *error = NULL;

    for (int i = 0; by->rates && i < by->rates->nelts && !error; i++) {
        const hs_rate *rate = &APR_ARRAY_IDX(by->rates, i, hs_rate);

        if (rate->requests > 0) {
            error = apply_rate(store, conn, take, by, rate, pool);
        }
    }
    return error;
}

/* From now on these mails count. One that passed once never needs to pass again. */
static hs_error *note_passed(hs_store *store, hs_conn *conn, const taking *take, apr_pool_t *pool)
{
    apr_int64_t now = take->now;
    hs_buffer json;

    hs_buffer_init(&json, 24 * (apr_size_t)take->mails->nelts + 2, pool);
    for (int i = 0; i < take->mails->nelts; i++) {
        const hs_mail *mail = APR_ARRAY_IDX(take->mails, i, hs_mail *);

        if (!take->has_passed[i] && !mail->over_limit) {
            hs_json_add_number(&json, mail->id);
        }
    }
    if (json.length == 0) {
        return NULL;
    }
    hs_json_end_numbers(&json);
    return hs_conn_query(conn, NULL, hs_store_sql(store, HS_SQL_MAIL_PASS),
                         (const void *[]){&now, json.data}, pool);
}

static hs_error *apply_limits(hs_store *store, hs_conn *conn, taking *take, apr_pool_t *pool)
{
    const hs_mail_limits *limits = take->claim->limits;
    const char **sites = apr_palloc(pool, (apr_size_t)take->mails->nelts * sizeof(char *));
    const counter counters[] = {
        {limits->recipient, HS_SQL_MAIL_COUNT_RECIPIENT, take->recipient_keys, HS_OVER_RECIPIENT},
        {limits->domain, HS_SQL_MAIL_COUNT_DOMAIN, take->domains, HS_OVER_DOMAIN},
        {limits->site, HS_SQL_MAIL_COUNT_SITE, sites, HS_OVER_SITE},
    };
    hs_error *error = NULL;

    for (int i = 0; i < take->mails->nelts; i++) {
        sites[i] = take->claim->site;
    }
    for (int i = 0; i < 3 && !error; i++) {
        error = apply_rates(store, conn, take, &counters[i], pool);
    }
    return error ? error : note_passed(store, conn, take, pool);
}

/* ---- the claim ---- */

static hs_error *park(hs_store *store, hs_conn *conn, taking *take, apr_pool_t *pool)
{
    apr_int64_t now = take->now;
    apr_int64_t poison = POISON_CLAIMS;

    return hs_conn_query(conn, &take->parked, hs_store_sql(store, HS_SQL_MAIL_PARK),
                         (const void *[]){POISON_DETAIL, &now, take->claim->site, &now, &poison},
                         pool);
}

static hs_error *lease_mails(hs_store *store, hs_conn *conn, const taking *take, apr_pool_t *pool)
{
    const hs_claim *claim = take->claim;
    int sql = claim->suspects ? HS_SQL_MAIL_CLAIM_SUSPECT : HS_SQL_MAIL_CLAIM;
    apr_int64_t max = claim->max;

    return hs_conn_query(
        conn, NULL, hs_store_sql(store, sql),
        (const void *[]){take->lease, claim->owner, &take->until, claim->site, &take->now, &max},
        pool);
}

/* A statement of its own on each database: RETURNING, where there is one, has no order. */
static hs_error *read_leased(hs_store *store, hs_conn *conn, taking *take, apr_pool_t *pool)
{
    hs_rows *rows;
    hs_error *error =
        hs_conn_select(conn, &rows, hs_store_sql(store, HS_SQL_MAIL_CLAIMED),
                       (const void *[]){take->claim->site, &take->until, take->lease}, pool);

    if (!error) {
        read_mails(take, rows, pool);
    }
    return error;
}

static hs_error *claim_mails(hs_store *store, hs_conn *conn, taking *take, apr_pool_t *pool)
{
    hs_error *error = take->claim->suspects ? park(store, conn, take, pool) : NULL;

    if (!error) {
        error = lease_mails(store, conn, take, pool);
    }
    return error ? error : read_leased(store, conn, take, pool);
}

/* A try whose COMMIT had no answer may have leased mails, which nobody would send until their lease
 * has run out: so the next one looks first. */
static hs_error *take_mails(hs_store *store, hs_conn *conn, void *baton, apr_pool_t *pool)
{
    taking *take = baton;
    int is_first = !take->until;
    hs_error *error = hs_store_clock(store, conn, &take->now, pool);

    if (error) {
        return error;
    }
    if (is_first) {
        take->until = take->now + take->claim->lease_us;
    } else {
        error = read_leased(store, conn, take, pool);
    }
    if (!error && (is_first || take->mails->nelts == 0)) {
        error = claim_mails(store, conn, take, pool);
    }
    return error || take->mails->nelts == 0 ? error : apply_limits(store, conn, take, pool);
}

hs_error *hs_outbox_claim(hs_store *store, apr_array_header_t **mails, int *parked,
                          const hs_claim *claim, apr_pool_t *pool)
{
    taking take = {.claim = claim, .lease = hs_random_hex(LEASE_OCTETS, pool)};
    hs_error *error;

    if (!take.lease) {
        return hs_error_make(pool, HS_UNAVAILABLE, "the system gives no random octets");
    }
    error =
        hs_store_write(store, take_mails, &take, HS_STORE_LOOKS, hs_db_deadline(store->db), pool);
    *mails = take.mails;
    *parked = take.parked;
    return hs_store_outward(error);
}

static const char *site_list(const apr_array_header_t *sites, apr_pool_t *pool)
{
    return string_list((const char *const *)(const void *)sites->elts, sites->nelts, pool);
}

/* Which sites have something to do. */
typedef struct looking {
    const char *sites; /* JSON */
    int sql;
    apr_interval_time_t ago_us;
    hs_rows *rows;
} looking;

static hs_error *look_at_sites(hs_store *store, hs_conn *conn, void *baton, apr_pool_t *pool)
{
    looking *self = baton;
    apr_int64_t now;
    hs_error *error = hs_store_clock(store, conn, &now, pool);

    if (error) {
        return error;
    }
    now -= self->ago_us;
    return hs_conn_select(conn, &self->rows, hs_store_sql(store, self->sql),
                          (const void *[]){self->sites, &now}, pool);
}

hs_error *hs_outbox_due(hs_store *store, apr_array_header_t **due, const apr_array_header_t *sites,
                        apr_pool_t *pool)
{
    looking self = {.sites = site_list(sites, pool), .sql = HS_SQL_MAIL_DUE};
    hs_error *error = hs_store_read(store, look_at_sites, &self, pool);

    if (error) {
        return error;
    }
    *due = apr_array_make(pool, self.rows->count + 1, sizeof(const char *));
    for (int row = 0; row < self.rows->count; row++) {
        APR_ARRAY_PUSH(*due, const char *) = hs_rows_text(self.rows, row, 0);
    }
    return NULL;
}

hs_error *hs_outbox_strays(hs_store *store, apr_array_header_t **strays,
                           const apr_array_header_t *sites, apr_interval_time_t idle_us,
                           apr_pool_t *pool)
{
    looking self = {.sites = site_list(sites, pool), .sql = HS_SQL_MAIL_STRAYS, .ago_us = idle_us};
    hs_error *error = hs_store_read(store, look_at_sites, &self, pool);

    if (error) {
        return error;
    }
    *strays = apr_array_make(pool, self.rows->count + 1, sizeof(hs_stray));
    for (int row = 0; row < self.rows->count; row++) {
        APR_ARRAY_PUSH(*strays, hs_stray) =
            (hs_stray){hs_rows_text(self.rows, row, 0), hs_rows_number(self.rows, row, 1)};
    }
    return NULL;
}
