/* hs_store_found_open.c - layer 8: begins a search: what waits for the index, and what the index
 * has. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_buffer.h"
#include "hs_sql.h"
#include "hs_store_found.h"
#include "hs_store_found_int.h"

#include <stdlib.h>

/* Segments of so many samples of tickets are loaded first: enough for a page where one in 40 has
 * the words. */
#define LOAD_SAMPLES 4

/* Words in a piece of the condition that waiting tickets are looked through by. */
#define PIECE_WORDS 200

static const char *waiting_sql(const hs_found *self, apr_array_header_t *values)
{
    hs_buffer sql;

    hs_buffer_init(&sql, 256, self->scratch);
    hs_buffer_puts(&sql, hs_store_sql(self->store, HS_SQL_SEARCH_WAITING));
    for (const char **word = self->words; *word; word++) {
        if (values->nelts % PIECE_WORDS == PIECE_WORDS - 1) {
            hs_buffer_puts(&sql, hs_store_sql(self->store, HS_SQL_SEARCH_WAITING_PIECE));
        }
        hs_buffer_putc(&sql, '\n');
        hs_buffer_puts(&sql, hs_store_sql(self->store, HS_SQL_SEARCH_WAITING_WORD));
        APR_ARRAY_PUSH(values, const void *) = *word;
    }
    hs_buffer_puts(&sql, hs_store_sql(self->store, HS_SQL_SEARCH_WAITING_END));
    return sql.data;
}

/* Read some that wait, behind those that were read; they come in no order. *count: how many. */
static hs_error *read_some_waiting(hs_found *self, apr_int64_t *count)
{
    const apr_int64_t most = self->store->waiting_piece;
    apr_array_header_t *waiting = self->waiting;
    int known = waiting->nelts;
    apr_int64_t after = known > 0 ? APR_ARRAY_IDX(waiting, known - 1, apr_int64_t) : 0;
    apr_array_header_t *values = apr_array_make(self->scratch, 8, sizeof(const void *));
    const char *sql;
    hs_rows *rows;
    hs_error *error;

    APR_ARRAY_PUSH(values, const void *) = &after;
    sql = waiting_sql(self, values);
    APR_ARRAY_PUSH(values, const void *) = &most;
    error = hs_conn_select(self->conn, &rows, sql, (const void **)values->elts, self->scratch);
    if (error) {
        return error;
    }
    *count = hs_rows_number(rows, 0, 0);
    error = hs_store_unpack_numbers(waiting, hs_rows_text(rows, 0, 1), *count, self->pool);
    qsort((apr_int64_t *)(void *)waiting->elts + known, (size_t)(waiting->nelts - known),
          sizeof(apr_int64_t), hs_number_order);
    return error;
}

/* A ticket moves from here into a segment, so whoever looks here first misses none. */
static hs_error *read_waiting(hs_found *self)
{
    apr_int64_t count = self->store->waiting_piece;
    hs_error *error = NULL;

    self->waiting = apr_array_make(self->pool, 64, sizeof(apr_int64_t));
    while (!error && count == self->store->waiting_piece) {
        apr_pool_clear(self->scratch);
        error = read_some_waiting(self, &count);
    }
    return error;
}

/* The numbers of tickets that were created from a time to another. */
static hs_error *read_numbers(const hs_found *self, apr_int64_t *least, apr_int64_t *greatest,
                              apr_int64_t from_us, apr_int64_t to_us)
{
    hs_rows *rows;
    hs_error *error =
        hs_conn_select(self->conn, &rows, hs_store_sql(self->store, HS_SQL_SEARCH_NUMBERS),
                       (const void *[]){&from_us, &to_us}, self->pool);

    if (!error && !hs_rows_text(rows, 0, 0)) {
        return hs_found_changed(self); /* the ticket that was there was deleted by hand */
    }
    if (!error) {
        *least = hs_rows_number(rows, 0, 0);
        *greatest = hs_rows_number(rows, 0, 1);
    }
    return error;
}

/* Which numbers the tickets of the range may have. What was created later than its first ticket by
 * more than the disorder has a higher number than that one; and at its end likewise. */
static hs_error *read_range(hs_found *self)
{
    apr_int64_t ignored;
    apr_int64_t first_us;
    apr_int64_t last_us;
    hs_rows *rows;
    hs_error *error =
        hs_conn_select(self->conn, &rows, hs_store_sql(self->store, HS_SQL_SEARCH_RANGE),
                       (const void *[]){&self->query->from_us, &self->query->to_us}, self->pool);

    if (error) {
        return error;
    }
    self->disorder_us = hs_rows_number(rows, 0, 2);
    self->to_number = -1;
    if (!hs_rows_text(rows, 0, 0) || !hs_rows_text(rows, 0, 1)) {
        return NULL;
    }
    first_us = hs_rows_number(rows, 0, 0);
    last_us = hs_rows_number(rows, 0, 1);
    error =
        read_numbers(self, &self->from_number, &ignored, first_us, first_us + self->disorder_us);
    return error ? error
                 : read_numbers(self, &ignored, &self->to_number, last_us - self->disorder_us,
                                last_us);
}

static int by_lowest(const void *a, const void *b)
{
    const hs_found_segment *one = a;
    const hs_found_segment *other = b;

    return (one->from_number > other->from_number) - (one->from_number < other->from_number);
}

static int by_highest(const void *a, const void *b)
{
    const hs_found_segment *one = a;
    const hs_found_segment *other = b;

    return (one->to_number < other->to_number) - (one->to_number > other->to_number);
}

hs_error *hs_found_changed(const hs_found *self)
{
    return hs_error_make(self->pool, HS_DB_BUSY, "the index of words changed meanwhile");
}

static void add_segment(hs_found *self, const hs_stored_segment *stored)
{
    const hs_segment *segment = &stored->segment;

    if (segment->to_number >= self->from_number && segment->from_number <= self->to_number &&
        segment->to_number >= segment->from_number &&
        segment->to_number - segment->from_number < HS_SEGMENT_SPAN_MAX) {
        self->segments[self->count++] = (hs_found_segment){.id = stored->id,
                                                           .tickets = segment->tickets,
                                                           .from_number = segment->from_number,
                                                           .to_number = segment->to_number,
                                                           .fences = segment->fences};
    }
}

static hs_error *read_segments(hs_found *self)
{
    apr_array_header_t *all;
    apr_int64_t disorder_us = 0;
    hs_error *error = hs_store_segments(self->store, self->conn, &all, self->pool);

    if (error) {
        return error;
    }
    self->segments =
        apr_pcalloc(self->pool, ((apr_size_t)all->nelts + 1) * sizeof(*self->segments));
    for (int i = 0; i < all->nelts; i++) {
        const hs_stored_segment *one = &APR_ARRAY_IDX(all, i, hs_stored_segment);

        disorder_us = one->disorder_us > disorder_us ? one->disorder_us : disorder_us;
        add_segment(self, one);
    }
    qsort(self->segments, (size_t)self->count, sizeof(hs_found_segment),
          self->query->descending ? by_highest : by_lowest);
    if (self->query->has_range && disorder_us != self->disorder_us) {
        return hs_found_changed(self); /* the range was found by less than there is now */
    }
    self->disorder_us = disorder_us;
    return NULL;
}

hs_error *hs_found_open(hs_found **found, hs_store *store, hs_conn *conn,
                        const hs_found_query *query, apr_pool_t *pool)
{
    hs_found *self = apr_pcalloc(pool, sizeof(*self));
    hs_error *error;

    *found = self;
    self->store = store;
    self->conn = conn;
    self->query = query;
    self->words = hs_store_search_words(query->words, pool);
    self->load = (apr_int64_t)store->sample * LOAD_SAMPLES;
    self->pool = pool;
    hs_buffer_init(&self->json, 2048, pool);
    apr_pool_create(&self->scratch, pool);
    self->to_number = APR_INT64_MAX;
    error = read_waiting(self);
    if (!error && query->has_range) {
        error = read_range(self);
    }
    return error ? error : read_segments(self);
}
