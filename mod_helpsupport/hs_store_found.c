/* hs_store_found.c - layer 8: the tickets that have all words of a search, as the index tells. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_store_found.h"

#include "hs_buffer.h"
#include "hs_segment.h"
#include "hs_sql.h"
#include "hs_store_found_int.h"

#include <stdlib.h>

/* Each time so many times more segments are loaded than the last time. */
#define LOAD_FACTOR 4

/* Pages that one statement asks for: each thread keeps that much memory for its next request. */
#define PAGES_MAX 16

/* ---- loading ---- */

/* Pages that are to be read for a word. */
typedef struct wish {
    const char *word;
    hs_found_segment *first; /* of the segments that are loaded together */
    int count;
    hs_buffer *pages; /* JSON */
    int page_count;
} wish;

static hs_error *read_pages(hs_found *self, wish *wanted)
{
    hs_rows *rows;
    hs_error *error;

    if (wanted->page_count == 0) {
        return NULL;
    }
    hs_buffer_putc(wanted->pages, ']');
    apr_pool_clear(self->scratch);
    error = hs_conn_select(self->conn, &rows, hs_store_sql(self->store, HS_SQL_SEARCH_PAGES),
                           (const void *[]){wanted->pages->data}, self->scratch);
    if (!error && rows->count != wanted->page_count) {
        return hs_found_changed(self);
    }
    for (int row = 0; !error && row < rows->count; row++) {
        apr_int64_t id = hs_rows_number(rows, row, 0);

        for (int i = 0; i < wanted->count; i++) {
            hs_found_segment *one = &wanted->first[i];

            if (one->id == id) {
                hs_segment_find(&one->has, hs_rows_text(rows, row, 1), wanted->word,
                                one->from_number);
            }
        }
    }
    wanted->pages->length = 0;
    wanted->page_count = 0;
    return error;
}

static void want_page(wish *wanted, const hs_found_segment *one, int page)
{
    hs_buffer_puts(wanted->pages, wanted->page_count == 0 ? "[[" : ",[");
    hs_buffer_put_number(wanted->pages, one->id);
    hs_buffer_putc(wanted->pages, ',');
    hs_buffer_put_number(wanted->pages, page);
    hs_buffer_putc(wanted->pages, ']');
    wanted->page_count++;
}

/* Where no ticket has the words before it, a word needs no look. */
static hs_error *want_pages(hs_found *self, wish *wanted, hs_found_segment *one)
{
    hs_error *error = NULL;
    int page;
    int last;

    hs_number_set_clear(&one->has);
    if (hs_number_set_count(&one->found) == 0) {
        return NULL;
    }
    hs_segment_pages(&page, &last, one->fences, wanted->word);
    for (; !error && page <= last; page++) {
        want_page(wanted, one, page);
        if (wanted->page_count == PAGES_MAX) {
            error = read_pages(self, wanted);
        }
    }
    return error;
}

static hs_error *look_for_word(hs_found *self, const char *word, hs_found_segment *first, int count)
{
    wish wanted = {.word = word, .first = first, .count = count, .pages = &self->json};
    hs_error *error = NULL;

    self->json.length = 0;
    for (int i = 0; !error && i < count; i++) {
        error = want_pages(self, &wanted, &first[i]);
    }
    if (!error) {
        error = read_pages(self, &wanted);
    }
    for (int i = 0; !error && i < count; i++) {
        hs_number_set_meet(&first[i].found, &first[i].has);
    }
    return error;
}

/* A ticket may be in two places: it moved from those that wait to a segment while we looked, or was
 * put there twice by two tries to store it. It counts where it was seen first. */
static void forget_doubles(hs_found *self, hs_found_segment *one)
{
    for (int i = 0; i < self->waiting->nelts; i++) {
        hs_number_set_remove(&one->found, APR_ARRAY_IDX(self->waiting, i, apr_int64_t));
    }
    for (const hs_found_segment *other = self->segments; other < one; other++) {
        apr_int64_t last = other->to_number < one->to_number ? other->to_number : one->to_number;
        apr_int64_t number = one->from_number;

        while (other->from_number <= last && number <= last &&
               (number = hs_number_set_above(&other->found, number)) <= last) {
            hs_number_set_remove(&one->found, number++);
        }
    }
}

static void set_next(const hs_found *self, hs_found_segment *one, apr_int64_t at)
{
    one->next = self->query->descending ? hs_number_set_below(&one->found, at)
                                        : hs_number_set_above(&one->found, at);
}

/* All of its tickets have all of the words that were looked for: none yet. */
static void begin_segment(hs_found_segment *one, apr_pool_t *pool)
{
    hs_number_set_init(&one->has, one->from_number, one->to_number, pool);
    hs_number_set_init(&one->found, one->from_number, one->to_number, pool);
    hs_number_set_add(&one->found, one->from_number, one->to_number - one->from_number);
}

static hs_error *load(hs_found *self, int count)
{
    hs_found_segment *first = self->segments + self->loaded;
    hs_error *error = NULL;

    for (int i = 0; i < count; i++) {
        begin_segment(&first[i], self->pool);
    }
    for (const char **word = self->words; !error && *word; word++) {
        error = look_for_word(self, *word, first, count);
    }
    for (int i = 0; !error && i < count; i++) {
        forget_doubles(self, &first[i]);
        set_next(self, &first[i], self->query->descending ? self->to_number : self->from_number);
    }
    self->loaded += error ? 0 : count;
    return error;
}

hs_error *hs_found_load_more(hs_found *self)
{
    apr_int64_t tickets = 0;
    int count = 0;

    while (self->loaded + count < self->count && tickets < self->load) {
        tickets += self->segments[self->loaded + count++].tickets;
    }
    self->load *= LOAD_FACTOR;
    return load(self, count);
}

/* Whether a segment has numbers that come before `number`, or that one. */
static int is_reached(const hs_found *self, const hs_found_segment *one, apr_int64_t number)
{
    return self->query->descending ? one->to_number >= number : one->from_number <= number;
}

hs_error *hs_found_load_to(hs_found *self, apr_int64_t number)
{
    int count = 0;

    while (self->loaded + count < self->count &&
           is_reached(self, &self->segments[self->loaded + count], number)) {
        count++;
    }
    return count > 0 ? load(self, count) : NULL;
}

hs_error *hs_found_load_all(hs_found *self)
{
    return load(self, self->count - self->loaded);
}

/* ---- what was found ---- */

const apr_array_header_t *hs_found_waiting(const hs_found *self)
{
    return self->waiting;
}

int hs_found_is_whole(const hs_found *self)
{
    return self->loaded == self->count;
}

/* A walk asks this of each ticket, so segments that lie behind are not looked at. */
int hs_found_has(const hs_found *self, apr_int64_t number)
{
    for (int i = 0; i < self->loaded && is_reached(self, &self->segments[i], number); i++) {
        if (hs_number_set_has(&self->segments[i].found, number)) {
            return 1;
        }
    }
    return bsearch(&number, self->waiting->elts, (size_t)self->waiting->nelts, sizeof(number),
                   hs_number_order) != NULL;
}

apr_int64_t hs_found_count(const hs_found *self)
{
    apr_int64_t count = self->waiting->nelts;

    for (int i = 0; i < self->loaded; i++) {
        count += hs_number_set_count(&self->segments[i].found);
    }
    return count;
}

/* The loaded segment with the number that comes next, where nothing that is not loaded may have one
 * that comes before; or NULL. */
static hs_found_segment *next_segment(const hs_found *self)
{
    hs_found_segment *best = NULL;

    for (int i = 0; i < self->loaded; i++) {
        hs_found_segment *one = &self->segments[i];

        if (one->next < one->from_number || one->next > one->to_number ||
            one->next < self->from_number || one->next > self->to_number) {
            continue;
        }
        if (!best || (self->query->descending ? one->next > best->next : one->next < best->next)) {
            best = one;
        }
    }
    if (best && !hs_found_is_whole(self) &&
        is_reached(self, &self->segments[self->loaded], best->next)) {
        return NULL;
    }
    return best;
}

int hs_found_take(hs_found *self, apr_array_header_t *numbers, int most)
{
    int count = 0;
    hs_found_segment *one;

    while (count < most && (one = next_segment(self)) != NULL) {
        APR_ARRAY_PUSH(numbers, apr_int64_t) = one->next;
        set_next(self, one, self->query->descending ? one->next - 1 : one->next + 1);
        count++;
    }
    return count;
}

apr_int64_t hs_found_disorder_us(const hs_found *self)
{
    return self->disorder_us;
}
