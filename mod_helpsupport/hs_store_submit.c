/* hs_store_submit.c - layer 7: writes tickets, their keys and their mails, many in one transaction.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_buffer.h"
#include "hs_email.h"
#include "hs_json.h"
#include "hs_random.h"
#include "hs_sql.h"
#include "hs_store.h"
#include "hs_store_int.h"

#include <apr_strings.h>

#include <string.h>

/* How long a key is remembered. */
#define KEY_LIFE_US apr_time_from_sec(24 * 60 * 60)

/* Each group with keys deletes this many expired ones per own key: more than it adds. */
#define PURGE_FACTOR 2

/* Of a Message-ID: it must not be guessed from outside. */
#define MESSAGE_ID_OCTETS 8

/* A statement must fit into MariaDB's max_allowed_packet, which some set to 1 MB; the longest
 * message and its words take some 60 KB each. */
#define GROUP_OCTETS_MAX (512 * 1024)

/* A submission in the queue. All that can be done before, its own thread has done: the leader, who
 * holds up every other writer, only joins the rows. */
typedef struct item {
    hs_submit *submit;
    apr_pool_t *pool;
    const char *ticket_row; /* JSON arrays, as the statements of sql/ describe them */
    const char *mail_row;
    const char *words;   /* JSON string: what a search finds the ticket by */
    const char *key_row; /* NULL without a key */
    const char *digest;  /* likewise */
    apr_size_t octets;   /* of the two that may be long: ticket_row and words */

    /* What came of it. The ticket itself is only written when all is over: tries repeat. */
    const char
        *id; /* the ticket's, which differs where a first answer is replayed; NULL: none yet */
    apr_int64_t number;
    apr_time_t created_us;
    hs_error *error;
} item;

/* The items that are written together. */
typedef struct group {
    item **items;
    int count;
    int key_count;
    const char *tickets; /* JSON */
    const char *mails;
    const char *keys;
    const char *words;
    apr_int64_t now;
} group;

static const char *text_row(const char *const *values, int count, apr_pool_t *pool)
{
    hs_buffer row;

    hs_buffer_init(&row, 512, pool);
    for (int i = 0; i < count; i++) {
        hs_buffer_putc(&row, i == 0 ? '[' : ',');
        hs_json_put_string(&row, values[i]);
    }
    hs_buffer_putc(&row, ']');
    return row.data;
}

static const char *domain_of(const char *folded)
{
    const char *at = strrchr(folded, '@');

    return at ? at + 1 : "";
}

static hs_error *prepare_item(item *self, apr_pool_t *pool)
{
    const hs_submit *submit = self->submit;
    const hs_ticket *ticket = submit->ticket;
    const char *folded = hs_email_fold(ticket->email, pool);
    const char *random = hs_random_hex(MESSAGE_ID_OCTETS, pool);
    const char *const ticket_values[] = {ticket->id,           ticket->user_id,        ticket->name,
                                         ticket->phone_number, ticket->email,          folded,
                                         ticket->message,      submit->idempotency_key};
    const char *const mail_values[] = {ticket->id,         "confirmation",
                                       submit->site,       hs_email_recipient(ticket->email, pool),
                                       domain_of(folded),  submit->language,
                                       submit->suppressed, random};

    if (!random) {
        return hs_error_make(pool, HS_UNAVAILABLE, "the system gives no random octets");
    }
    self->ticket_row = text_row(ticket_values, 8, pool);
    self->mail_row = text_row(mail_values, 8, pool);
    self->words = hs_store_words(ticket, pool);
    self->octets = strlen(self->ticket_row) + strlen(self->words);
    if (submit->idempotency_key) {
        self->digest = hs_ticket_digest(ticket, pool);
        self->key_row = text_row((const char *const[]){ticket->user_id, submit->idempotency_key,
                                                       self->digest, ticket->id},
                                 4, pool);
    }
    return NULL;
}

static void join_row(hs_buffer *json, const char *row)
{
    hs_buffer_putc(json, json->length == 0 ? '[' : ',');
    hs_buffer_puts(json, row);
}

static void join_rows(group *all, apr_pool_t *pool)
{
    hs_buffer tickets;
    hs_buffer mails;
    hs_buffer keys;
    hs_buffer words;

    hs_buffer_init(&tickets, 1024 * (apr_size_t)all->count, pool);
    hs_buffer_init(&mails, 256 * (apr_size_t)all->count, pool);
    hs_buffer_init(&keys, 256 * (apr_size_t)all->count, pool);
    hs_buffer_init(&words, 512 * (apr_size_t)all->count, pool);
    for (int i = 0; i < all->count; i++) {
        join_row(&tickets, all->items[i]->ticket_row);
        join_row(&mails, all->items[i]->mail_row);
        join_row(&words, all->items[i]->words);
        if (all->items[i]->key_row) {
            join_row(&keys, all->items[i]->key_row);
            all->key_count++;
        }
    }
    hs_buffer_putc(&tickets, ']');
    hs_buffer_putc(&mails, ']');
    hs_buffer_putc(&keys, ']');
    hs_buffer_putc(&words, ']');
    all->tickets = tickets.data;
    all->mails = mails.data;
    all->keys = keys.data;
    all->words = words.data;
}

/* Rows of id, number, created_us. They mostly come in the order of the items, so each search
 * mostly ends where it begins. */
static void mark_rows(group *all, const hs_rows *rows)
{
    int next = 0;

    for (int row = 0; row < rows->count; row++) {
        const char *id = hs_rows_text(rows, row, 0);

        for (int i = 0; i < all->count; i++) {
            item *self = all->items[(next + i) % all->count];

            if (strcmp(self->submit->ticket->id, id) == 0) {
                self->id = self->submit->ticket->id;
                self->number = hs_rows_number(rows, row, 1);
                self->created_us = hs_rows_number(rows, row, 2);
                next = (next + i + 1) % all->count;
                break;
            }
        }
    }
}

/* Only of rows that are new: a number that is in the index twice would be found twice. */
static hs_error *insert_words(hs_store *store, hs_conn *conn, group *all, apr_pool_t *pool)
{
    hs_buffer json;

    hs_buffer_init(&json, 512 * (apr_size_t)all->count, pool);
    for (int i = 0; i < all->count; i++) {
        if (all->items[i]->id) {
            hs_buffer_puts(&json, json.length == 0 ? "[[" : ",[");
            hs_buffer_put_number(&json, all->items[i]->number);
            hs_buffer_putc(&json, ',');
            hs_buffer_puts(&json, all->items[i]->words);
            hs_buffer_putc(&json, ']');
        }
    }
    if (json.length == 0) {
        return NULL;
    }
    hs_buffer_putc(&json, ']');
    return hs_conn_query(conn, NULL, hs_store_sql(store, HS_SQL_WORDS_INSERT),
                         (const void *[]){json.data}, pool);
}

static hs_error *claim_keys(hs_store *store, hs_conn *conn, group *all, apr_pool_t *pool)
{
    apr_int64_t life_us = KEY_LIFE_US;
    apr_int64_t expired_us = all->now - KEY_LIFE_US;
    apr_int64_t purge_count = PURGE_FACTOR * all->key_count;
    hs_error *error = hs_conn_query(conn, NULL, hs_store_sql(store, HS_SQL_KEY_CLAIM),
                                    (const void *[]){all->keys, &all->now, &life_us}, pool);

    if (error) {
        return error;
    }
    return hs_conn_query(conn, NULL, hs_store_sql(store, HS_SQL_KEY_PURGE),
                         (const void *[]){&expired_us, &purge_count}, pool);
}

/* The key's row tells whose ticket it is: this one's, or that of a first answer. That one's members
 * are the same by digest, so only what the database gave it differs. */
static void settle_key(item *self, const hs_rows *rows, int row)
{
    if (strcmp(hs_rows_text(rows, row, 1), self->digest) != 0) {
        self->error = hs_error_make(self->pool, HS_KEY_MISMATCH,
                                    "the idempotency key was used before with other members");
        return;
    }
    self->id = apr_pstrdup(self->pool, hs_rows_text(rows, row, 2));
    self->number = hs_rows_number(rows, row, 3);
    self->created_us = hs_rows_number(rows, row, 4);
}

static hs_error *settle_keys(hs_store *store, hs_conn *conn, group *all, apr_pool_t *pool)
{
    hs_rows *rows;
    hs_error *error = hs_conn_select(conn, &rows, hs_store_sql(store, HS_SQL_KEY_READ),
                                     (const void *[]){all->keys}, pool);
    int ordinal = 0;
    int row = 0;

    for (int i = 0; !error && i < all->count; i++) {
        if (!all->items[i]->key_row) {
            continue;
        }
        /* Rows come in the order of the keys, but one may be missing. */
        if (row < rows->count && hs_rows_number(rows, row, 0) == ordinal) {
            settle_key(all->items[i], rows, row++);
        }
        ordinal++;
    }
    return error;
}

/* After an unknown outcome the tickets may be there already: RETURNING tells only of new rows. */
static hs_error *look_for_rest(hs_store *store, hs_conn *conn, group *all, apr_pool_t *pool)
{
    hs_rows *rows;
    hs_error *error;
    int missing = 0;

    for (int i = 0; i < all->count; i++) {
        missing += !all->items[i]->id && !all->items[i]->error;
    }
    if (!missing) {
        return NULL;
    }
    error = hs_conn_select(conn, &rows, hs_store_sql(store, HS_SQL_TICKET_LOOK),
                           (const void *[]){all->tickets}, pool);
    if (!error) {
        mark_rows(all, rows);
    }
    return error;
}

static void forget_results(group *all)
{
    for (int i = 0; i < all->count; i++) {
        all->items[i]->id = NULL;
        all->items[i]->error = NULL;
    }
}

/* What is left after the tickets were stored: whose the keys are, and what an earlier try stored.
 */
static hs_error *settle(hs_store *store, hs_conn *conn, group *all, apr_pool_t *pool)
{
    hs_error *error = NULL;

    if (all->key_count > 0) {
        error = settle_keys(store, conn, all, pool);
    }
    return error ? error : look_for_rest(store, conn, all, pool);
}

static int has_rest(const group *all)
{
    for (int i = 0; i < all->count; i++) {
        if (!all->items[i]->id) {
            return 1;
        }
    }
    return 0;
}

/* The whole group in one statement, where the database has it. Who then has no id met a key or a
 * try of before, for which a second statement looks. */
static hs_error *write_at_once(hs_store *store, hs_conn *conn, void *baton, apr_pool_t *pool)
{
    group *all = baton;
    apr_int64_t life_us = KEY_LIFE_US;
    apr_int64_t purge_count = PURGE_FACTOR * all->key_count;
    hs_rows *rows;
    hs_error *error;

    forget_results(all);
    if (all->key_count > 0) {
        error = hs_conn_select(conn, &rows, hs_store_sql(store, HS_SQL_SUBMIT_KEYS),
                               (const void *[]){all->keys, &life_us, all->tickets, all->words,
                                                all->mails, &life_us, &purge_count},
                               pool);
    } else {
        error = hs_conn_select(conn, &rows, hs_store_sql(store, HS_SQL_SUBMIT),
                               (const void *[]){all->tickets, all->words, all->mails}, pool);
    }
    if (error) {
        return error;
    }
    mark_rows(all, rows);
    error = has_rest(all) ? settle(store, conn, all, pool) : NULL;
    if (error) {
        error->code = HS_OUTCOME_UNKNOWN; /* what the first statement stored is committed */
    }
    return error;
}

/* The whole transaction: a number of statements that does not depend on the number of items. */
static hs_error *write_group(hs_store *store, hs_conn *conn, void *baton, apr_pool_t *pool)
{
    group *all = baton;
    hs_rows *rows;
    hs_error *error;

    forget_results(all);
    error = hs_store_clock(store, conn, &all->now, pool);
    if (!error && all->key_count > 0) {
        error = claim_keys(store, conn, all, pool);
    }
    if (!error) {
        error = hs_conn_select(conn, &rows, hs_store_sql(store, HS_SQL_TICKET_INSERT),
                               (const void *[]){&all->now, all->tickets}, pool);
    }
    if (!error) {
        mark_rows(all, rows);
        error = insert_words(store, conn, all, pool);
    }
    if (!error) {
        error = hs_conn_query(conn, NULL, hs_store_sql(store, HS_SQL_MAIL_INSERT),
                              (const void *[]){all->mails}, pool);
    }
    return error ? error : settle(store, conn, all, pool);
}

static int is_replayed(const item *self)
{
    return self->id && strcmp(self->id, self->submit->ticket->id) != 0;
}

/* After the transaction: who has no result gets the reason instead. Returns how many are new. */
static int finish(group *all, const hs_error *error)
{
    int stored = 0;

    for (int i = 0; i < all->count; i++) {
        item *self = all->items[i];

        if (error) {
            self->error = hs_error_make(self->pool, error->code, "%s", error->text);
        } else if (!self->id && !self->error) {
            self->error = hs_error_make(self->pool, HS_UNAVAILABLE,
                                        "the ticket of an idempotency key is gone");
        }
        stored += !self->error && !is_replayed(self);
    }
    return stored;
}

static int is_too_long(item *const *items, int count)
{
    apr_size_t octets = 0;

    for (int i = 0; i < count; i++) {
        octets += items[i]->octets;
    }
    return count > 1 && octets > GROUP_OCTETS_MAX;
}

static int write_items(hs_store *store, item **items, int count, apr_time_t deadline,
                       apr_pool_t *pool)
{
    group all = {.items = items, .count = count};
    int stored = 0;
    hs_error *error;

    if (is_too_long(items, count)) {
        stored = write_items(store, items, count / 2, deadline, pool);
        return stored + write_items(store, items + count / 2, count - count / 2, deadline, pool);
    }
    join_rows(&all, pool);
    error = hs_store_sql(store, HS_SQL_SUBMIT)
                ? hs_store_apply(store, write_at_once, &all, deadline, pool)
                : hs_store_write(store, write_group, &all, HS_STORE_LOOKS, deadline, pool);
    /* One bad row must not fail its neighbours. Where the database can't be had at all, one try
     * for everybody was enough. */
    if (error && count > 1 && hs_store_may_be_one_row(error)) {
        for (int i = 0; i < count; i++) {
            stored += write_items(store, &items[i], 1, deadline, pool);
        }
        return stored;
    }
    return finish(&all, hs_store_outward(error));
}

void hs_store_run_submissions(void *baton, void **items, int count, apr_time_t deadline,
                              apr_pool_t *pool)
{
    hs_store *store = baton;
    item **all = apr_palloc(pool, sizeof(item *) * (apr_size_t)count);

    for (int i = 0; i < count; i++) {
        all[i] = items[i];
    }
    if (write_items(store, all, count, deadline, pool) > 0 && store->committed) {
        store->committed(store->baton);
    }
}

hs_error *hs_store_submit(hs_store *store, hs_submit *submit, int *replayed, apr_pool_t *pool)
{
    item self = {.submit = submit, .pool = pool};
    hs_error *error = prepare_item(&self, pool);

    if (!error) {
        error = hs_group_join(store->submissions, &self, hs_db_deadline(store->db), pool);
    }
    if (error || self.error) {
        return error ? error : self.error;
    }
    *replayed = is_replayed(&self);
    submit->ticket->id = self.id;
    submit->ticket->number = self.number;
    submit->ticket->created_us = self.created_us;
    submit->ticket->updated_us = self.created_us;
    return NULL;
}
