/* hs_store_index.c - layer 8: moves the words of new tickets into the index that q asks. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_store_index.h"

#include "hs_buffer.h"
#include "hs_json.h"
#include "hs_random.h"
#include "hs_segment.h"
#include "hs_sql.h"
#include "hs_store_int.h"

#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>

/* A segment is merged with the next older ones that are not larger than what is there already: so
 * each ticket is merged a few times in its life, and there are few segments. Not beyond these: a
 * search reads the fences of all segments, and whoever merges reads all their pages. */
#define SEGMENT_TICKETS_MAX 65536
#define SEGMENT_FENCES_MAX 16384

#define ID_OCTETS 6

/* What is to be written, prepared without a transaction: that may take long. */
typedef struct move {
    hs_segment *segment;
    apr_int64_t id;
    apr_int64_t last_us;
    apr_int64_t disorder_us;
    const char *tickets;  /* JSON: whose words wait no longer */
    const char *segments; /* JSON: which segments are merged into it */
    int ticket_count;
    int segment_count;
    int is_done;
    apr_pool_t *pool;
} move;

static apr_int64_t greater(apr_int64_t one, apr_int64_t other)
{
    return one > other ? one : other;
}

/* ---- which tickets ---- */

static hs_error *read_waiting(hs_store *store, hs_conn *conn, apr_array_header_t *tickets,
                              apr_pool_t *pool)
{
    apr_int64_t most = HS_STORE_INDEX_MAX;
    hs_rows *rows;
    hs_error *error = hs_conn_select(conn, &rows, hs_store_sql(store, HS_SQL_INDEX_WAITING),
                                     (const void *[]){&most}, pool);

    for (int row = 0; !error && row < rows->count; row++) {
        hs_segment_ticket ticket = {.number = hs_rows_number(rows, row, 0),
                                    .words = hs_rows_text(rows, row, 1)};

        if (row > 0 && ticket.number - APR_ARRAY_IDX(tickets, 0, hs_segment_ticket).number >=
                           HS_SEGMENT_SPAN_MAX) {
            break;
        }
        APR_ARRAY_PUSH(tickets, hs_segment_ticket) = ticket;
    }
    return error;
}

/* Whether so many wait that it is worth it. */
static hs_error *look_at_waiting(hs_store *store, hs_conn *conn, int *is_worth_it, apr_pool_t *pool)
{
    apr_int64_t least = store->waiting_min;
    hs_rows *rows;
    hs_error *error = hs_conn_select(conn, &rows, hs_store_sql(store, HS_SQL_INDEX_WAITING_COUNT),
                                     (const void *[]){&least}, pool);

    *is_worth_it = !error && hs_rows_number(rows, 0, 0) >= least;
    return error;
}

/* ---- which segments ---- */

static int newest_first(const void *a, const void *b)
{
    apr_int64_t one = ((const hs_stored_segment *)a)->segment.to_number;
    apr_int64_t other = ((const hs_stored_segment *)b)->segment.to_number;

    return (one < other) - (one > other);
}

hs_error *hs_store_segments(hs_store *store, hs_conn *conn, apr_array_header_t **segments,
                            apr_pool_t *pool)
{
    hs_rows *rows;
    hs_error *error =
        hs_conn_select(conn, &rows, hs_store_sql(store, HS_SQL_INDEX_SEGMENTS), NULL, pool);

    if (error) {
        return error;
    }
    *segments = apr_array_make(pool, rows->count + 1, sizeof(hs_stored_segment));
    for (int row = 0; row < rows->count; row++) {
        APR_ARRAY_PUSH(*segments, hs_stored_segment) =
            (hs_stored_segment){.id = hs_rows_number(rows, row, 0),
                                .segment = {.tickets = hs_rows_number(rows, row, 1),
                                            .from_number = hs_rows_number(rows, row, 2),
                                            .to_number = hs_rows_number(rows, row, 3),
                                            .fences = hs_rows_text(rows, row, 6)},
                                .last_us = hs_rows_number(rows, row, 4),
                                .disorder_us = hs_rows_number(rows, row, 5)};
    }
    return NULL;
}

/* Leave those that could be in one segment with a new one: another that is far away, and the newest
 * of all, would keep these from being merged for ever. */
static void leave_near(apr_array_header_t *segments, const hs_segment *fresh)
{
    int count = 0;

    for (int i = 0; i < segments->nelts; i++) {
        const hs_stored_segment one = APR_ARRAY_IDX(segments, i, hs_stored_segment);
        const hs_segment both = hs_segment_sum(fresh, &one.segment);

        if (both.to_number - both.from_number < HS_SEGMENT_SPAN_MAX) {
            APR_ARRAY_IDX(segments, count++, hs_stored_segment) = one;
        }
    }
    segments->nelts = count;
}

/* How many segments, from the newest, are merged with a new one. */
static int count_merged(const hs_segment *fresh, const apr_array_header_t *segments)
{
    hs_segment sum = *fresh;
    apr_size_t fences = strlen(fresh->fences);
    int count = 0;

    for (; count < segments->nelts; count++) {
        const hs_segment *next = &APR_ARRAY_IDX(segments, count, hs_stored_segment).segment;
        hs_segment both = hs_segment_sum(&sum, next);

        fences += strlen(next->fences);
        if (next->tickets > sum.tickets || both.tickets > SEGMENT_TICKETS_MAX ||
            both.to_number - both.from_number >= HS_SEGMENT_SPAN_MAX ||
            fences > SEGMENT_FENCES_MAX) {
            break;
        }
        sum = both;
    }
    return count;
}

static hs_error *read_pages(hs_store *store, hs_conn *conn, hs_stored_segment *one,
                            apr_pool_t *pool)
{
    hs_rows *rows;
    hs_error *error = hs_conn_select(conn, &rows, hs_store_sql(store, HS_SQL_INDEX_PAGES),
                                     (const void *[]){&one->id}, pool);

    if (error) {
        return error;
    }
    one->segment.pages = apr_array_make(pool, rows->count + 1, sizeof(const char *));
    for (int row = 0; row < rows->count; row++) {
        APR_ARRAY_PUSH(one->segment.pages, const char *) = hs_rows_text(rows, row, 0);
    }
    return NULL;
}

/* ---- the new one ---- */

/* Go through tickets in order of their numbers, to see when the last was created and how far the
 * order of creation is from theirs. Some at a time, so that no statement takes too long. */
static hs_error *read_times(hs_store *store, hs_conn *conn, move *self, apr_int64_t from_number,
                            apr_int64_t to_number)
{
    while (from_number <= to_number) {
        hs_rows *rows;
        hs_error *error =
            hs_conn_select(conn, &rows, hs_store_sql(store, HS_SQL_INDEX_TIMES),
                           (const void *[]){&self->last_us, &from_number, &to_number}, self->pool);

        if (error || !hs_rows_text(rows, 0, 2)) {
            return error;
        }
        self->last_us = greater(self->last_us, hs_rows_number(rows, 0, 0));
        self->disorder_us = greater(self->disorder_us, hs_rows_number(rows, 0, 1));
        from_number = hs_rows_number(rows, 0, 2) + 1;
    }
    return NULL;
}

/* The times of the new segment's tickets, and how they stand to those of all others. As a rule
 * these have lower numbers; the others come late, and what is above them is read again. */
static hs_error *compare_times(hs_store *store, hs_conn *conn, move *self, const hs_segment *fresh,
                               const apr_array_header_t *segments)
{
    apr_int64_t to_number = fresh->to_number;

    for (int i = 0; i < segments->nelts; i++) {
        const hs_stored_segment *one = &APR_ARRAY_IDX(segments, i, hs_stored_segment);

        to_number = greater(to_number, one->segment.to_number);
        if (one->segment.from_number < fresh->from_number) {
            self->last_us = greater(self->last_us, one->last_us);
        }
    }
    return read_times(store, conn, self, fresh->from_number, to_number);
}

static const char *json_of_tickets(const apr_array_header_t *tickets, apr_pool_t *pool)
{
    hs_buffer json;

    hs_buffer_init(&json, 10 * (apr_size_t)tickets->nelts, pool);
    for (int i = 0; i < tickets->nelts; i++) {
        hs_json_add_number(&json, APR_ARRAY_IDX(tickets, i, hs_segment_ticket).number);
    }
    hs_json_end_numbers(&json);
    return json.data;
}

static const char *json_of_segments(const apr_array_header_t *segments, int count, apr_pool_t *pool)
{
    hs_buffer json;

    hs_buffer_init(&json, 256, pool);
    for (int i = 0; i < count; i++) {
        hs_json_add_number(&json, APR_ARRAY_IDX(segments, i, hs_stored_segment).id);
    }
    hs_json_end_numbers(&json);
    return json.data;
}

/* Merge the new segment with the newest ones. */
static hs_error *merge(hs_store *store, hs_conn *conn, move *self, hs_segment *fresh,
                       const apr_array_header_t *segments)
{
    int count = count_merged(fresh, segments);
    hs_segment **all = apr_palloc(self->pool, ((apr_size_t)count + 1) * sizeof(hs_segment *));

    for (int i = 0; i < count; i++) {
        hs_stored_segment *one = &APR_ARRAY_IDX(segments, i, hs_stored_segment);
        hs_error *error = read_pages(store, conn, one, self->pool);

        if (error) {
            return error;
        }
        self->last_us = greater(self->last_us, one->last_us);
        self->disorder_us = greater(self->disorder_us, one->disorder_us);
        all[count - 1 - i] = &one->segment; /* oldest first, so that numbers come in order */
    }
    all[count] = fresh;
    self->segment = count > 0 ? hs_segment_merge(all, count + 1, self->pool) : fresh;
    self->segments = json_of_segments(segments, count, self->pool);
    self->segment_count = count;
    return NULL;
}

/* Nobody can guess it, but that is not what matters: it is never used again. */
static hs_error *make_id(move *self)
{
    const char *random = hs_random_hex(ID_OCTETS, self->pool);

    if (!random) {
        return hs_error_make(self->pool, HS_UNAVAILABLE, "the system gives no random octets");
    }
    self->id = apr_strtoi64(random, NULL, 16) + 1;
    return NULL;
}

static hs_error *prepare(hs_store *store, hs_conn *conn, void *baton, apr_pool_t *pool)
{
    move *self = baton;
    apr_array_header_t *tickets =
        apr_array_make(pool, HS_STORE_WAITING_MIN, sizeof(hs_segment_ticket));
    apr_array_header_t *segments;
    int is_worth_it;
    hs_segment *fresh;
    hs_error *error = look_at_waiting(store, conn, &is_worth_it, pool);

    if (error || !is_worth_it) {
        return error;
    }
    error = read_waiting(store, conn, tickets, pool);
    if (!error) {
        error = hs_store_segments(store, conn, &segments, pool);
    }
    if (error || tickets->nelts == 0) {
        return error;
    }
    qsort(segments->elts, (size_t)segments->nelts, sizeof(hs_stored_segment), newest_first);
    fresh = hs_segment_make((const hs_segment_ticket *)(void *)tickets->elts, tickets->nelts, pool);
    self->tickets = json_of_tickets(tickets, pool);
    self->ticket_count = tickets->nelts;
    error = compare_times(store, conn, self, fresh, segments);
    leave_near(segments, fresh);
    if (!error) {
        error = merge(store, conn, self, fresh, segments);
    }
    return error ? error : make_id(self);
}

/* ---- writing it ---- */

/* Delete what the new segment replaces. *is_all: all of it was there; if not, another node was
 * quicker, or a try of ours whose outcome was unknown. */
static hs_error *take_away(hs_store *store, hs_conn *conn, const move *self, int *is_all,
                           apr_pool_t *pool)
{
    int tickets = 0;
    int segments = 0;
    hs_error *error = hs_conn_query(conn, &tickets, hs_store_sql(store, HS_SQL_INDEX_TAKE_WAITING),
                                    (const void *[]){self->tickets}, pool);

    if (!error && self->segment_count > 0) {
        error = hs_conn_query(conn, &segments, hs_store_sql(store, HS_SQL_INDEX_TAKE_SEGMENTS),
                              (const void *[]){self->segments}, pool);
    }
    if (!error && self->segment_count > 0) {
        error = hs_conn_query(conn, NULL, hs_store_sql(store, HS_SQL_INDEX_TAKE_PAGES),
                              (const void *[]){self->segments}, pool);
    }
    *is_all = tickets == self->ticket_count && segments == self->segment_count;
    return error;
}

static void put_page(hs_buffer *json, const void *baton, int page, apr_pool_t *pool)
{
    const move *self = baton;

    (void)pool;
    hs_buffer_putc(json, '[');
    hs_buffer_put_number(json, self->id);
    hs_buffer_putc(json, ',');
    hs_buffer_put_number(json, page);
    hs_buffer_putc(json, ',');
    hs_json_put_string(json, APR_ARRAY_IDX(self->segment->pages, page, const char *));
    hs_buffer_putc(json, ']');
}

static hs_error *write_move(hs_store *store, hs_conn *conn, void *baton, apr_pool_t *pool)
{
    move *self = baton;
    const hs_segment *segment = self->segment;
    hs_error *error = take_away(store, conn, self, &self->is_done, pool);

    if (error) {
        return error;
    }
    if (!self->is_done) {
        hs_db_rollback(store->db, conn);
        return NULL;
    }
    error = hs_conn_query(conn, NULL, hs_store_sql(store, HS_SQL_INDEX_PUT_SEGMENT),
                          (const void *[]){&self->id, &segment->tickets, &segment->from_number,
                                           &segment->to_number, &self->last_us, &self->disorder_us,
                                           segment->fences},
                          pool);
    return error ? error
                 : hs_store_write_rows(conn, hs_store_sql(store, HS_SQL_INDEX_PUT_PAGES),
                                       segment->pages->nelts, put_page, self, pool);
}

hs_error *hs_store_index(hs_store *store, int *moved, apr_pool_t *pool)
{
    move self = {.pool = pool};
    hs_error *error = hs_store_read(store, prepare, &self, pool);

    *moved = 0;
    if (error || !self.segment) {
        return error;
    }
    error =
        hs_store_write(store, write_move, &self, HS_STORE_LOOKS, hs_db_deadline(store->db), pool);
    *moved = !error && self.is_done ? self.ticket_count : 0;
    return hs_store_outward(error);
}
