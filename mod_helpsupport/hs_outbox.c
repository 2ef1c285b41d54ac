/* hs_outbox.c - layer 7: results, ages and the administrator's view of the mails that wait. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_outbox.h"

#include "hs_buffer.h"
#include "hs_json.h"
#include "hs_sql.h"
#include "hs_store_int.h"

#include <apr_strings.h>

#include <string.h>

#define DAY_US (apr_time_from_sec(24) * 60 * 60)
#define ENDED_KEPT_US (7 * DAY_US)
#define FAILED_KEPT_US (30 * DAY_US)

/* Times of a statement: now, and one before that by `ago_us`. */
typedef struct times {
    apr_interval_time_t ago_us;
    apr_int64_t now;
    apr_int64_t then;
} times;

static hs_error *read_clock(hs_store *store, hs_conn *conn, times *at, apr_pool_t *pool)
{
    hs_error *error = hs_store_clock(store, conn, &at->now, pool);

    at->then = at->now - at->ago_us;
    return error;
}

/* One statement in a transaction of its own, and how many rows it changed. */
typedef struct change {
    int sql;
    const void **values; /* some point into *at, which is set when the clock was read */
    times *at;
    int changed;
    int is_unsure; /* a try had no answer: the next one may find nothing since that had changed it
                    */
} change;

static hs_error *run_change(hs_store *store, hs_conn *conn, void *baton, apr_pool_t *pool)
{
    change *one = baton;
    hs_error *error = read_clock(store, conn, one->at, pool);

    if (error) {
        return error;
    }
    error = hs_conn_query(conn, &one->changed, hs_store_sql(store, one->sql), one->values, pool);
    one->is_unsure |= error && error->code == HS_DB_LOST;
    return error;
}

static hs_error *apply_change(hs_store *store, change *one, apr_pool_t *pool)
{
    return hs_store_outward(
        hs_store_apply(store, run_change, one, hs_db_deadline(store->db), pool));
}

/* All of them may run twice: what the first run did, the second doesn't find. */
static hs_error *change_rows(hs_store *store, int *changed, int sql, times *at, const void **values,
                             apr_pool_t *pool)
{
    change one = {.sql = sql, .values = values, .at = at};
    hs_error *error = apply_change(store, &one, pool);

    *changed = one.changed;
    return error;
}

hs_error *hs_outbox_release(hs_store *store, const char *owner, int *count, apr_pool_t *pool)
{
    times at = {0};

    return change_rows(store, count, HS_SQL_MAIL_RELEASE, &at, (const void *[]){&at.now, owner},
                       pool);
}

static hs_error *keep_one(hs_store *store, hs_conn *conn, const hs_mail *mail, apr_pool_t *pool)
{
    int changed = 0;
    hs_error *error = hs_conn_query(conn, &changed, hs_store_sql(store, HS_SQL_MAIL_KEEP),
                                    (const void *[]){mail->message, &mail->id, mail->lease}, pool);

    if (!error && changed != 1) {
        error = hs_error_make(pool, HS_STALE,
                              "a mail's lease was lost before it was sent: is the clock wrong?");
    }
    return error;
}

static hs_error *keep_all(hs_store *store, hs_conn *conn, void *baton, apr_pool_t *pool)
{
    const apr_array_header_t *mails = baton;
    hs_error *error = NULL;

    for (int i = 0; i < mails->nelts && !error; i++) {
        error = keep_one(store, conn, APR_ARRAY_IDX(mails, i, const hs_mail *), pool);
    }
    return error;
}

hs_error *hs_outbox_keep(hs_store *store, const apr_array_header_t *mails, apr_pool_t *pool)
{
    apr_array_header_t *all = apr_array_copy(pool, mails);

    /* blind: after an unknown outcome the mails go back to the queue, and the next claim sees */
    return hs_store_outward(
        hs_store_write(store, keep_all, all, HS_STORE_BLIND, hs_db_deadline(store->db), pool));
}

/* Results that are being stored. */
typedef struct finishing {
    const apr_array_header_t *results;
    int changed; /* of the try that changed most: what it stored, one after it doesn't find */
} finishing;

static int is_requeued(const hs_mail_result *result)
{
    return strcmp(result->state, "queued") == 0;
}

static hs_error *end_mail(hs_store *store, hs_conn *conn, int *changed,
                          const hs_mail_result *result, apr_int64_t now, apr_pool_t *pool)
{
    return hs_conn_query(conn, changed, hs_store_sql(store, HS_SQL_MAIL_END),
                         (const void *[]){result->state, result->detail, &now, &now, result->state,
                                          &result->id, result->lease},
                         pool);
}

static hs_error *requeue_mail(hs_store *store, hs_conn *conn, int *changed,
                              const hs_mail_result *result, apr_int64_t now, apr_pool_t *pool)
{
    apr_int64_t tries = result->counts_as_try ? 1 : 0;
    apr_int64_t due = now + result->delay_us;

    return hs_conn_query(conn, changed, hs_store_sql(store, HS_SQL_MAIL_REQUEUE),
                         (const void *[]){result->detail, &tries, &due, &result->id, result->lease},
                         pool);
}

/* MariaDB would make a table on disk for an UPDATE that joins the batch, and SQLite is in this
 * process. */
static hs_error *finish_each(hs_store *store, hs_conn *conn, int *total,
                             const apr_array_header_t *results, apr_int64_t now, apr_pool_t *pool)
{
    hs_error *error = NULL;

    for (int i = 0; i < results->nelts && !error; i++) {
        const hs_mail_result *result = &APR_ARRAY_IDX(results, i, hs_mail_result);
        int changed = 0;

        error = is_requeued(result) ? requeue_mail(store, conn, &changed, result, now, pool)
                                    : end_mail(store, conn, &changed, result, now, pool);
        *total += changed;
    }
    return error;
}

/* As HS_SQL_MAIL_FINISH takes them. */
static const char *result_list(const apr_array_header_t *results, apr_int64_t now, apr_pool_t *pool)
{
    hs_buffer json;

    hs_buffer_init(&json, 256 * (apr_size_t)results->nelts, pool);
    for (int i = 0; i < results->nelts; i++) {
        const hs_mail_result *result = &APR_ARRAY_IDX(results, i, hs_mail_result);
        const char *const texts[] = {result->lease, result->state, result->detail};

        hs_buffer_puts(&json, i == 0 ? "[[" : ",[");
        hs_buffer_put_number(&json, result->id);
        for (int k = 0; k < 3; k++) {
            hs_buffer_putc(&json, ',');
            hs_json_put_string(&json, texts[k]);
        }
        hs_buffer_puts(&json, is_requeued(result) && result->counts_as_try ? ",1," : ",0,");
        hs_buffer_put_number(&json, is_requeued(result) ? now + result->delay_us : now);
        hs_buffer_putc(&json, ']');
    }
    hs_buffer_putc(&json, ']');
    return json.data;
}

static hs_error *finish_all(hs_store *store, hs_conn *conn, void *baton, apr_pool_t *pool)
{
    finishing *self = baton;
    const char *sql = hs_store_sql(store, HS_SQL_MAIL_FINISH);
    apr_int64_t now;
    int total = 0;
    hs_error *error = hs_store_clock(store, conn, &now, pool);

    if (error) {
        return error;
    }
    error = sql ? hs_conn_query(conn, &total, sql,
                                (const void *[]){&now, result_list(self->results, now, pool)}, pool)
                : finish_each(store, conn, &total, self->results, now, pool);
    self->changed = total > self->changed ? total : self->changed;
    return error;
}

hs_error *hs_outbox_finish(hs_store *store, const apr_array_header_t *results, int *lost,
                           apr_pool_t *pool)
{
    finishing self = {.results = results};
    hs_error *error;

    *lost = 0;
    if (results->nelts == 0) {
        return NULL;
    }
    error =
        hs_store_write(store, finish_all, &self, HS_STORE_LOOKS, hs_db_deadline(store->db), pool);
    if (!error) {
        *lost = results->nelts - self.changed;
    }
    return hs_store_outward(error);
}

/* JSON array of the numbers in the first column. */
static const char *number_list(const hs_rows *rows, apr_pool_t *pool)
{
    hs_buffer json;

    hs_buffer_init(&json, 24 * (apr_size_t)rows->count + 2, pool);
    for (int row = 0; row < rows->count; row++) {
        hs_buffer_putc(&json, row == 0 ? '[' : ',');
        hs_buffer_put_number(&json, hs_rows_number(rows, row, 0));
    }
    hs_buffer_putc(&json, ']');
    return json.data;
}

/* The mails of a site that are too old. */
typedef struct search {
    const char *site;
    times *at;
    hs_rows *rows;
} search;

static hs_error *find_old(hs_store *store, hs_conn *conn, void *baton, apr_pool_t *pool)
{
    search *self = baton;
    hs_error *error = read_clock(store, conn, self->at, pool);

    if (error) {
        return error;
    }
    return hs_conn_select(conn, &self->rows, hs_store_sql(store, HS_SQL_MAIL_OLD),
                          (const void *[]){self->site, &self->at->now, &self->at->then}, pool);
}

/* "48 hours", or in minutes where it isn't whole hours. */
static const char *age_text(apr_interval_time_t age_us, apr_pool_t *pool)
{
    int minutes = (int)(age_us / apr_time_from_sec(60));
    int is_hours = minutes % 60 == 0;
    int count = is_hours ? minutes / 60 : minutes;

    return apr_psprintf(pool, "%d %s%s", count, is_hours ? "hour" : "minute",
                        count == 1 ? "" : "s");
}

/* Looks first, without the turn to write: there is much to look at when a relay has been down. */
hs_error *hs_outbox_expire(hs_store *store, const char *site, apr_interval_time_t max_age_us,
                           int *count, apr_pool_t *pool)
{
    times at = {.ago_us = max_age_us};
    search old = {.site = site, .at = &at};
    const char *detail = apr_pstrcat(pool, "given up after ", age_text(max_age_us, pool), NULL);
    hs_error *error = hs_store_read(store, find_old, &old, pool);

    *count = 0;
    if (error || old.rows->count == 0) {
        return error;
    }
    return change_rows(
        store, count, HS_SQL_MAIL_EXPIRE, &at,
        (const void *[]){&at.now, detail, number_list(old.rows, pool), &at.now, &at.then}, pool);
}

hs_error *hs_outbox_purge(hs_store *store, apr_interval_time_t counted_us, int *count,
                          apr_pool_t *pool)
{
    apr_interval_time_t ended_us = counted_us > ENDED_KEPT_US ? counted_us : ENDED_KEPT_US;
    const struct {
        const char *state;
        apr_interval_time_t kept_us;
    } rules[] = {
        {"sent", ended_us},
        {"suppressed", ended_us},
        {"failed", ended_us > FAILED_KEPT_US ? ended_us : FAILED_KEPT_US},
    };
    hs_error *error = NULL;

    *count = 0;
    for (apr_size_t i = 0; i < sizeof(rules) / sizeof(*rules) && !error; i++) {
        times at = {.ago_us = rules[i].kept_us};
        int changed;

        error = change_rows(store, &changed, HS_SQL_MAIL_PURGE, &at,
                            (const void *[]){rules[i].state, &at.then}, pool);
        *count += error ? 0 : changed;
    }
    return error;
}

static hs_mail_row *read_row(const hs_rows *rows, int row, apr_pool_t *pool)
{
    hs_mail_row *mail = apr_palloc(pool, sizeof(*mail));

    mail->id = hs_rows_number(rows, row, 0);
    mail->ticket_number = hs_rows_number(rows, row, 1);
    mail->site = hs_rows_text(rows, row, 2);
    mail->recipient = hs_rows_text(rows, row, 3);
    mail->state = hs_rows_text(rows, row, 4);
    mail->detail = hs_rows_text(rows, row, 5);
    mail->tries = (int)hs_rows_number(rows, row, 6);
    mail->created_us = hs_rows_number(rows, row, 7);
    mail->state_us = hs_rows_number(rows, row, 8);
    return mail;
}

hs_error *hs_outbox_list(hs_store *store, apr_array_header_t **list, const char *state, int max,
                         apr_pool_t *pool)
{
    apr_int64_t limit = max;
    hs_rows *rows;
    hs_error *error =
        state ? hs_store_select(store, &rows, HS_SQL_MAIL_LIST_STATE,
                                (const void *[]){state, &limit}, pool)
              : hs_store_select(store, &rows, HS_SQL_MAIL_LIST, (const void *[]){&limit}, pool);

    if (error) {
        return error;
    }
    *list = apr_array_make(pool, rows->count, sizeof(hs_mail_row *));
    for (int row = 0; row < rows->count; row++) {
        APR_ARRAY_PUSH(*list, hs_mail_row *) = read_row(rows, row, pool);
    }
    return NULL;
}

hs_error *hs_outbox_retry(hs_store *store, apr_int64_t id, apr_pool_t *pool)
{
    times at = {0};
    change one = {.sql = HS_SQL_MAIL_RETRY,
                  .values = (const void *[]){&at.now, &at.now, &at.now, &id},
                  .at = &at};
    hs_error *error = apply_change(store, &one, pool);

    if (error || one.changed > 0) {
        return error;
    }
    if (one.is_unsure) {
        return hs_error_make(pool, HS_OUTCOME_UNKNOWN,
                             "whether mail %" APR_INT64_T_FMT " is queued again is not known, an "
                             "answer of the database was lost: look with mail list",
                             id);
    }
    return hs_error_make(
        pool, HS_NOT_FOUND,
        "no failed or suppressed mail with id %" APR_INT64_T_FMT " can be sent again", id);
}
