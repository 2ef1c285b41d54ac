/* hs_store_status.c - layer 7: changes of status, many in one transaction. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_buffer.h"
#include "hs_json.h"
#include "hs_sql.h"
#include "hs_store.h"
#include "hs_store_int.h"

#include <apr_strings.h>

/* A change in the queue. */
typedef struct item {
    const hs_change *change;
    apr_pool_t *pool;
    hs_ticket *ticket; /* afterwards, or as it is where If-Match failed */
    hs_error *error;
    /* The version that an earlier try gave the ticket, whose outcome is unknown; else 0. */
    apr_int64_t tried_version;
} item;

/* The changes that are written together. */
typedef struct group {
    item **items;
    int count;
    apr_time_t now;
    hs_ticket **tickets; /* those that are named, each once, as the changes so far left them */
    int ticket_count;
    int change_count;
    hs_buffer events; /* JSON */
} group;

static void put_ref(hs_buffer *json, const hs_ticket_ref *ref)
{
    hs_json_put_string(json, ref->id);
    hs_buffer_putc(json, ',');
    if (ref->id) {
        hs_buffer_puts(json, "null");
    } else {
        hs_buffer_put_number(json, ref->number);
    }
}

static const char *refs_of(const group *all, apr_pool_t *pool)
{
    hs_buffer json;

    hs_buffer_init(&json, 64 * (apr_size_t)all->count, pool);
    for (int i = 0; i < all->count; i++) {
        hs_buffer_puts(&json, i == 0 ? "[[" : ",[");
        put_ref(&json, &all->items[i]->change->ref);
        hs_buffer_putc(&json, ']');
    }
    hs_buffer_putc(&json, ']');
    return json.data;
}

static void forget_results(group *all)
{
    for (int i = 0; i < all->count; i++) {
        all->items[i]->ticket = NULL;
        all->items[i]->error = NULL;
    }
}

/* The ticket of a row, the same one each time that it is named. */
static hs_ticket *share_ticket(group *all, const hs_rows *rows, int row, apr_pool_t *pool)
{
    apr_int64_t number = hs_rows_number(rows, row, 0);

    for (int i = 0; i < all->ticket_count; i++) {
        if (all->tickets[i]->number == number) {
            return all->tickets[i];
        }
    }
    all->tickets[all->ticket_count] = hs_store_ticket(rows, row, pool);
    return all->tickets[all->ticket_count++];
}

static void put_event(group *all, const hs_ticket *ticket, hs_status from, const char *by)
{
    hs_buffer *json = &all->events;

    hs_buffer_puts(json, all->change_count++ == 0 ? "[[" : ",[");
    hs_buffer_put_number(json, ticket->number);
    hs_buffer_putc(json, ',');
    hs_buffer_put_number(json, ticket->version);
    hs_buffer_putc(json, ',');
    hs_buffer_put_number(json, ticket->updated_us);
    hs_buffer_putc(json, ',');
    hs_buffer_put_number(json, from);
    hs_buffer_putc(json, ',');
    hs_buffer_put_number(json, ticket->status);
    hs_buffer_putc(json, ',');
    hs_json_put_string(json, by);
    hs_buffer_putc(json, ']');
}

/* Whether an earlier try, of which nobody knew the outcome, did the change. */
static int is_done_already(const item *self, const hs_ticket *ticket)
{
    return self->tried_version > 0 && self->tried_version == ticket->version &&
           self->change->status == ticket->status;
}

/* RFC 9110 13.2.2: both fields are looked at before anything is done. */
static int is_wanted(const hs_change *change, const hs_ticket *ticket, apr_pool_t *pool)
{
    const char *etag = hs_ticket_etag(ticket, pool);

    return (!change->if_match || hs_ticket_etag_matches(change->if_match, etag, 0)) &&
           (!change->if_none_match || !hs_ticket_etag_matches(change->if_none_match, etag, 1));
}

/* Decide one change on the ticket as the ones before it left it. */
static void decide(group *all, item *self, hs_ticket *ticket, apr_pool_t *pool)
{
    const hs_change *change = self->change;
    hs_status from = ticket->status;

    if (!is_done_already(self, ticket)) {
        if (!is_wanted(change, ticket, pool)) {
            self->error = hs_error_make(self->pool, HS_STALE, "the ticket has another version");
        } else if (change->status != from) {
            ticket->status = change->status;
            ticket->version++;
            /* Never backwards, whatever the clock does. */
            ticket->updated_us = all->now > ticket->updated_us ? all->now : ticket->updated_us + 1;
            self->tried_version = ticket->version;
            put_event(all, ticket, from, change->by);
        }
    }
    self->ticket = hs_store_ticket_copy(ticket, self->pool);
}

static void decide_all(group *all, const hs_rows *rows, apr_pool_t *pool)
{
    all->tickets = apr_palloc(pool, sizeof(hs_ticket *) * (apr_size_t)all->count);
    all->ticket_count = 0;
    all->change_count = 0;
    hs_buffer_init(&all->events, 128 * (apr_size_t)all->count, pool);
    for (int row = 0; row < rows->count; row++) {
        apr_int64_t ordinal = hs_rows_number(rows, row, 11);

        decide(all, all->items[ordinal], share_ticket(all, rows, row, pool), pool);
    }
    for (int i = 0; i < all->count; i++) {
        if (!all->items[i]->ticket) {
            all->items[i]->error =
                hs_error_make(all->items[i]->pool, HS_NOT_FOUND, "no such ticket");
        }
    }
}

/* All tickets of the group; those that did not change are written as they are. */
static const char *written_rows(const group *all, apr_pool_t *pool)
{
    hs_buffer json;

    hs_buffer_init(&json, 64 * (apr_size_t)all->ticket_count, pool);
    for (int i = 0; i < all->ticket_count; i++) {
        hs_buffer_puts(&json, i == 0 ? "[[" : ",[");
        hs_buffer_put_number(&json, all->tickets[i]->number);
        hs_buffer_putc(&json, ',');
        hs_buffer_put_number(&json, all->tickets[i]->status);
        hs_buffer_putc(&json, ',');
        hs_buffer_put_number(&json, all->tickets[i]->version);
        hs_buffer_putc(&json, ',');
        hs_buffer_put_number(&json, all->tickets[i]->updated_us);
        hs_buffer_putc(&json, ']');
    }
    hs_buffer_putc(&json, ']');
    return json.data;
}

static hs_error *write_group(hs_store *store, hs_conn *conn, void *baton, apr_pool_t *pool)
{
    group *all = baton;
    hs_rows *rows;
    hs_error *error;

    forget_results(all);
    error = hs_conn_select(conn, &rows, hs_store_sql(store, HS_SQL_STATUS_READ),
                           (const void *[]){refs_of(all, pool)}, pool);
    if (error) {
        return error;
    }
    /* A server's clock comes with the rows. */
    all->now = rows->count > 0 && rows->columns > 12 ? hs_rows_number(rows, 0, 12) : apr_time_now();
    decide_all(all, rows, pool);
    /* Committed all the same: what an earlier try did may not have reached PostgreSQL's standby,
     * and the locks make this transaction wait for it. */
    if (all->change_count == 0) {
        return NULL;
    }
    hs_buffer_putc(&all->events, ']');
    error = hs_conn_query(conn, NULL, hs_store_sql(store, HS_SQL_STATUS_WRITE),
                          (const void *[]){written_rows(all, pool)}, pool);
    if (error) {
        return error;
    }
    return hs_conn_query(conn, NULL, hs_store_sql(store, HS_SQL_EVENT_INSERT),
                         (const void *[]){all->events.data}, pool);
}

/* ---- the same in one statement, where the database has it and no change has a condition ---- */

static int has_conditions(const group *all)
{
    for (int i = 0; i < all->count; i++) {
        const hs_change *change = all->items[i]->change;

        if (change->if_match || change->if_none_match) {
            return 1;
        }
    }
    return 0;
}

static const char *changes_of(const group *all, apr_pool_t *pool)
{
    hs_buffer json;

    hs_buffer_init(&json, 128 * (apr_size_t)all->count, pool);
    for (int i = 0; i < all->count; i++) {
        const hs_change *change = all->items[i]->change;

        hs_buffer_puts(&json, i == 0 ? "[[" : ",[");
        put_ref(&json, &change->ref);
        hs_buffer_putc(&json, ',');
        hs_buffer_put_number(&json, change->status);
        hs_buffer_putc(&json, ',');
        hs_json_put_string(&json, change->by);
        hs_buffer_putc(&json, ']');
    }
    hs_buffer_putc(&json, ']');
    return json.data;
}

/* Repeatable, whatever came of the last try: a ticket that has the status already stays as it is.
 */
static hs_error *write_at_once(hs_store *store, hs_conn *conn, void *baton, apr_pool_t *pool)
{
    group *all = baton;
    hs_rows *rows;
    hs_error *error;

    forget_results(all);
    error = hs_conn_select(conn, &rows, hs_store_sql(store, HS_SQL_STATUS_SET),
                           (const void *[]){changes_of(all, pool)}, pool);
    for (int row = 0; !error && row < rows->count; row++) {
        item *self = all->items[hs_rows_number(rows, row, 11)];

        self->ticket = hs_store_ticket_copy(hs_store_ticket(rows, row, pool), self->pool);
    }
    return error;
}

static int was_changed(const group *all, const hs_ticket_ref *ref)
{
    for (int i = 0; i < all->count; i++) {
        if (all->items[i]->ticket && hs_ticket_is_named(all->items[i]->ticket, ref)) {
            return 1;
        }
    }
    return 0;
}

/* Who has no ticket either names none, or one that another change of the group named before: those
 * come to the front of `rest`. Returns how many. */
static int settle_rest(const group *all, item **rest)
{
    int count = 0;

    for (int i = 0; i < all->count; i++) {
        item *self = all->items[i];

        if (self->ticket) {
            continue;
        }
        if (was_changed(all, &self->change->ref)) {
            rest[count++] = self;
        } else {
            self->error = hs_error_make(self->pool, HS_NOT_FOUND, "no such ticket");
        }
    }
    return count;
}

static void write_items(hs_store *store, item **items, int count, apr_time_t deadline,
                        apr_pool_t *pool)
{
    group all = {.items = items, .count = count};
    int at_once = hs_store_sql(store, HS_SQL_STATUS_SET) && !has_conditions(&all);
    hs_error *error =
        at_once ? hs_store_apply(store, write_at_once, &all, deadline, pool)
                : hs_store_write(store, write_group, &all, HS_STORE_LOOKS, deadline, pool);

    if (!error && at_once) {
        item **rest = apr_palloc(pool, sizeof(item *) * (apr_size_t)count);

        count = settle_rest(&all, rest);
        if (count > 0) {
            write_items(store, rest, count, deadline, pool);
        }
        return;
    }
    if (error && count > 1 && hs_store_may_be_one_row(error)) {
        for (int i = 0; i < count; i++) {
            write_items(store, &items[i], 1, deadline, pool);
        }
        return;
    }
    error = hs_store_outward(error);
    for (int i = 0; error && i < count; i++) {
        items[i]->ticket = NULL; /* as it was decided, not as it is */
        items[i]->error = hs_error_make(items[i]->pool, error->code, "%s", error->text);
    }
}

void hs_store_run_changes(void *baton, void **items, int count, apr_time_t deadline,
                          apr_pool_t *pool)
{
    item **all = apr_palloc(pool, sizeof(item *) * (apr_size_t)count);

    for (int i = 0; i < count; i++) {
        all[i] = items[i];
    }
    write_items(baton, all, count, deadline, pool);
}

hs_error *hs_store_set_status(hs_store *store, hs_ticket **ticket, const hs_change *change,
                              apr_pool_t *pool)
{
    item self = {.change = change, .pool = pool};
    hs_error *error = hs_group_join(store->changes, &self, hs_db_deadline(store->db), pool);

    if (error) {
        return error;
    }
    *ticket = self.ticket;
    return self.error;
}
