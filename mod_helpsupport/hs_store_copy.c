/* hs_store_copy.c - layer 7: copies all that one database holds to another. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_store_copy.h"

#include "hs_buffer.h"
#include "hs_json.h"
#include "hs_sql.h"
#include "hs_store_int.h"

#include <apr_strings.h>

#include <string.h>

/* A page of rows is read at once. A ticket has up to 100 KiB, a mail that repeats its message 240.
 */
#define PAGE_ROWS 200

#define KEYS_MAX 2

typedef struct table {
    const char *what; /* its rows, for the administrator */
    int read;         /* HS_SQL_*: the page after a key, which is the first column, or two */
    int write;
    int has_pair; /* whether it is two */
    int has_text; /* whether it is text */
} table;

/* In the order of the columns of HS_SQL_COPY_COUNTS. */
static const table tables[] = {
    {"tickets", HS_SQL_COPY_READ_TICKET, HS_SQL_COPY_TICKET, 0, 0},
    {"status changes", HS_SQL_COPY_READ_EVENT, HS_SQL_COPY_EVENT, 1, 0},
    {"idempotency keys", HS_SQL_COPY_READ_KEY, HS_SQL_COPY_KEY, 1, 1},
    {"mails", HS_SQL_COPY_READ_MAIL, HS_SQL_COPY_MAIL, 0, 0},
    {"tokens", HS_SQL_COPY_READ_TOKEN, HS_SQL_COPY_TOKEN, 0, 1},
    {"tickets to index", HS_SQL_COPY_READ_WORDS, HS_SQL_COPY_WORDS, 0, 0},
    {"index segments", HS_SQL_COPY_READ_SEGMENT, HS_SQL_COPY_SEGMENT, 0, 0},
    {"index pages", HS_SQL_COPY_READ_PAGE, HS_SQL_COPY_PAGE, 1, 0},
};
#define TABLE_COUNT ((int)(sizeof(tables) / sizeof(*tables)))
#define TOLD_COUNT 5 /* what the administrator asked for; the others only make q find it */

/* One of the two databases. */
typedef struct side {
    const char *name;
    hs_store *store;
    hs_conn *conn;
    hs_rows *counts;
} side;

typedef struct copy {
    side from;
    side to;
    hs_copy_progress *progress;
    void *baton;
    apr_pool_t *pool;
    apr_pool_t *pages[2]; /* taken in turns, because a page begins after the key of the last one */
} copy;

/* The key of a row; its strings are in the row's page. */
typedef struct place {
    const char *text[KEYS_MAX];
    apr_int64_t number[KEYS_MAX];
} place;

/* Say where it happened: on which side, and at which rows or "". */
static hs_error *fault_of(const side *self, const char *what, hs_error *error, apr_pool_t *pool)
{
    if (error) {
        error = hs_store_outward(error);
        error->text =
            apr_pstrcat(pool, "the ", self->name, *what ? ", " : "", what, ": ", error->text, NULL);
    }
    return error;
}

static hs_error *count(side *self, apr_pool_t *pool)
{
    return hs_conn_select(self->conn, &self->counts, hs_store_sql(self->store, HS_SQL_COPY_COUNTS),
                          NULL, pool);
}

/* Begin a transaction that may take its time. In the source the turn to write keeps other writers
 * of an SQLite file away, and a server has its own way to hold them up. */
static hs_error *begin(side *self, int hold, apr_pool_t *pool)
{
    apr_time_t deadline = hs_db_deadline(self->store->db);
    const char *sql = hold ? hs_store_sql(self->store, HS_SQL_COPY_HOLD) : NULL;
    hs_error *error = hs_db_acquire(self->store->db, &self->conn, deadline, pool);

    if (error) {
        self->conn = NULL;
        return error;
    }
    error = hs_db_begin(self->store->db, self->conn, deadline, pool);
    if (!error) {
        error = hs_conn_unlimit(self->conn, pool);
    }
    if (!error && sql) {
        error = hs_conn_execute(self->conn, sql, pool);
    }
    return error ? error : count(self, pool);
}

static hs_error *check_empty(const side *self, apr_pool_t *pool)
{
    for (int i = 0; i < TABLE_COUNT; i++) {
        if (hs_rows_number(self->counts, 0, i) > 0) {
            return hs_error_make(pool, HS_CONFIGURATION,
                                 "it holds %s %s already: only an empty database can be copied to",
                                 hs_rows_text(self->counts, 0, i), tables[i].what);
        }
    }
    return NULL;
}

static const void *key_value(const table *self, const place *at, int i)
{
    return self->has_text ? (const void *)at->text[i] : &at->number[i];
}

static hs_error *read_page(const copy *self, hs_rows **rows, const table *one, const place *after,
                           apr_pool_t *pool)
{
    const char *sql = hs_store_sql(self->from.store, one->read);
    const apr_int64_t limit = PAGE_ROWS;
    const void *values[KEYS_MAX + 2];
    int n = 0;

    values[n++] = key_value(one, after, 0);
    if (one->has_pair && strstr(sql, " OR ")) {
        values[n++] = key_value(one, after, 0);
    }
    if (one->has_pair) {
        values[n++] = key_value(one, after, 1);
    }
    values[n] = &limit;
    return hs_conn_select(self->from.conn, rows, sql, values, pool);
}

static void put_row(hs_buffer *json, const void *baton, int row, apr_pool_t *pool)
{
    const hs_rows *rows = baton;

    (void)pool;
    for (int column = 0; column < rows->columns; column++) {
        hs_buffer_putc(json, column == 0 ? '[' : ',');
        hs_json_put_string(json, hs_rows_text(rows, row, column));
    }
    hs_buffer_putc(json, ']');
}

static hs_error *write_page(const copy *self, const table *one, const hs_rows *rows,
                            apr_pool_t *pool)
{
    return hs_store_write_rows(self->to.conn, hs_store_sql(self->to.store, one->write), rows->count,
                               put_row, rows, pool);
}

static void move_on(place *after, const hs_rows *rows)
{
    for (int i = 0; i < KEYS_MAX && rows->count > 0; i++) {
        after->text[i] = hs_rows_text(rows, rows->count - 1, i);
        after->number[i] = hs_rows_number(rows, rows->count - 1, i);
    }
}

/* The first number of a key is above 0, and no text of one is empty. */
static hs_error *copy_table(const copy *self, int index)
{
    const table *one = &tables[index];
    place after = {.text = {"", ""}};
    apr_int64_t done = 0;
    hs_rows *rows;

    for (int turn = 0;; turn = !turn) {
        apr_pool_t *pool = self->pages[turn];
        hs_error *error;

        apr_pool_clear(pool);
        error = fault_of(&self->from, one->what, read_page(self, &rows, one, &after, pool), pool);
        if (!error) {
            error = fault_of(&self->to, one->what, write_page(self, one, rows, pool), pool);
        }
        if (error) {
            return error;
        }
        move_on(&after, rows);
        done += rows->count;
        if (rows->count > 0) {
            self->progress(self->baton, one->what, done,
                           hs_rows_number(self->from.counts, 0, index));
        }
        if (rows->count < PAGE_ROWS) {
            return NULL;
        }
    }
}

/* Whether both hold the same numbers of rows, and count on from the same. */
static hs_error *check_counts(copy *self)
{
    hs_error *error = count(&self->to, self->pool);

    for (int i = 0; !error && i < self->to.counts->columns; i++) {
        const char *there = hs_rows_text(self->to.counts, 0, i);
        const char *here = hs_rows_text(self->from.counts, 0, i);

        if (strcmp(here, there) != 0) {
            error =
                hs_error_make(self->pool, HS_UNAVAILABLE,
                              "the copy holds %s where the source holds %s (%s): does something "
                              "else write to it?",
                              there, here, i < TABLE_COUNT ? tables[i].what : "the highest number");
        }
    }
    return error;
}

static const char *summary_of(const copy *self)
{
    const char *text = "";

    for (int i = 0; i < TOLD_COUNT; i++) {
        text = apr_pstrcat(self->pool, text, i > 0 ? ", " : "",
                           hs_rows_text(self->from.counts, 0, i), " ", tables[i].what, NULL);
    }
    return text;
}

/* A session that was lost while the target worked holds nobody up any more. */
static hs_error *check_hold(const copy *self)
{
    if (hs_conn_is_alive(self->from.conn, self->pool)) {
        return NULL;
    }
    return hs_error_make(self->pool, HS_UNAVAILABLE,
                         "the source was lost meanwhile, so others may have written to it: run the "
                         "copy again");
}

static hs_error *finish(copy *self)
{
    const char *counters = hs_store_sql(self->to.store, HS_SQL_COPY_COUNTERS);
    hs_error *error = check_counts(self);
    hs_rows *ignored;

    if (!error && counters) {
        error = hs_conn_select(self->to.conn, &ignored, counters, NULL, self->pool);
    }
    if (!error) {
        error = check_hold(self);
    }
    return error ? error : hs_db_commit(self->to.store->db, self->to.conn, self->pool);
}

static hs_error *run(copy *self)
{
    hs_error *error = fault_of(&self->from, "", begin(&self->from, 1, self->pool), self->pool);

    if (!error) {
        error = begin(&self->to, 0, self->pool);
        error =
            fault_of(&self->to, "", error ? error : check_empty(&self->to, self->pool), self->pool);
    }
    for (int i = 0; !error && i < TABLE_COUNT; i++) {
        error = copy_table(self, i);
    }
    return error ? error : fault_of(&self->to, "", finish(self), self->pool);
}

static void release(const side *self)
{
    if (self->conn) {
        hs_db_release(self->store->db, self->conn);
    }
}

hs_error *hs_store_copy(hs_store *from, hs_store *to, const char **summary,
                        hs_copy_progress *progress, void *baton, apr_pool_t *pool)
{
    copy self = {.from = {.name = "source", .store = from},
                 .to = {.name = "target", .store = to},
                 .progress = progress,
                 .baton = baton,
                 .pool = pool};
    hs_error *error;

    from->makes_schema = 0;
    to->makes_schema = 1;
    for (int i = 0; i < 2; i++) {
        apr_pool_create(&self.pages[i], pool);
    }
    error = run(&self);
    release(&self.to);
    release(&self.from);
    if (!error) {
        *summary = summary_of(&self);
    }
    return error;
}
