/* hs_store_get.c - layer 7: reads one ticket; of a server, those asked for at the same moment at
 * once.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_buffer.h"
#include "hs_json.h"
#include "hs_sql.h"
#include "hs_store.h"
#include "hs_store_int.h"

/* A lookup in the queue. */
typedef struct item {
    const hs_ticket_ref *ref;
    apr_pool_t *pool;
    hs_ticket *ticket; /* NULL: there is none */
    hs_error *error;
} item;

/* The lookups that are made together. */
typedef struct group {
    item **items;
    int count;
} group;

/* The statement that finds `ref`, and its one parameter. */
static int choose_by(const hs_ticket_ref *ref, const void **value)
{
    if (ref->id) {
        *value = ref->id;
        return HS_SQL_TICKET_BY_ID;
    }
    *value = &ref->number;
    return HS_SQL_TICKET_BY_NUMBER;
}

static hs_error *read_one(hs_store *store, hs_conn *conn, void *baton, apr_pool_t *pool)
{
    item *self = baton;
    const void *value;
    int sql = choose_by(self->ref, &value);
    hs_rows *rows;
    hs_error *error = hs_conn_select(conn, &rows, hs_store_sql(store, sql), &value, pool);

    if (!error && rows->count > 0) {
        self->ticket = hs_store_ticket(rows, 0, pool);
    }
    return error;
}

/* The ids, or else the numbers, of a group as a JSON array. */
static const char *refs_of(const group *all, int are_ids, apr_pool_t *pool)
{
    hs_buffer json;

    hs_buffer_init(&json, 40 * (apr_size_t)all->count + 3, pool);
    hs_buffer_putc(&json, '[');
    for (int i = 0; i < all->count; i++) {
        const hs_ticket_ref *ref = all->items[i]->ref;

        if (are_ids != (ref->id != NULL)) {
            continue;
        }
        if (json.length > 1) {
            hs_buffer_putc(&json, ',');
        }
        if (are_ids) {
            hs_json_put_string(&json, ref->id);
        } else {
            hs_buffer_put_number(&json, ref->number);
        }
    }
    hs_buffer_putc(&json, ']');
    return json.data;
}

/* The leader's own may be gone while the others still answer, so each gets a copy. */
static void hand_out(const group *all, const hs_ticket *ticket)
{
    for (int i = 0; i < all->count; i++) {
        item *self = all->items[i];

        if (!self->ticket && hs_ticket_is_named(ticket, self->ref)) {
            self->ticket = hs_store_ticket_copy(ticket, self->pool);
        }
    }
}

static hs_error *read_group(hs_store *store, hs_conn *conn, void *baton, apr_pool_t *pool)
{
    const group *all = baton;
    hs_rows *rows;
    hs_error *error =
        hs_conn_select(conn, &rows, hs_store_sql(store, HS_SQL_TICKETS_BY_REF),
                       (const void *[]){refs_of(all, 1, pool), refs_of(all, 0, pool)}, pool);

    for (int row = 0; !error && row < rows->count; row++) {
        hand_out(all, hs_store_ticket(rows, row, pool));
    }
    return error;
}

/* Where more come at once than there are connections, one round trip serves them all. Alone, the
 * leader is the only one, so that its own pool is the one of its item. */
void hs_store_run_lookups(void *baton, void **items, int count, apr_time_t deadline,
                          apr_pool_t *pool)
{
    hs_store *store = baton;
    item **lookups = apr_palloc(pool, sizeof(item *) * (apr_size_t)count);
    group all = {.items = lookups, .count = count};
    hs_error *error;

    for (int i = 0; i < count; i++) {
        lookups[i] = items[i];
    }
    error = count == 1 ? hs_store_read_until(store, read_one, lookups[0], deadline, pool)
                       : hs_store_read_until(store, read_group, &all, deadline, pool);
    for (int i = 0; error && i < count; i++) {
        lookups[i]->error = hs_error_make(lookups[i]->pool, error->code, "%s", error->text);
    }
}

hs_error *hs_store_get(hs_store *store, hs_ticket **ticket, const hs_ticket_ref *ref,
                       apr_pool_t *pool)
{
    item self = {.ref = ref, .pool = pool};
    apr_time_t deadline = hs_db_deadline(store->db);
    hs_error *error = hs_store_sql(store, HS_SQL_TICKETS_BY_REF)
                          ? hs_group_join(store->lookups, &self, deadline, pool)
                          : hs_store_read_until(store, read_one, &self, deadline, pool);

    if (!error) {
        error = self.error;
    }
    if (!error && !self.ticket) {
        error = hs_error_make(pool, HS_NOT_FOUND, "no such ticket");
    }
    *ticket = self.ticket;
    return error;
}
