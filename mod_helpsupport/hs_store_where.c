/* hs_store_where.c - layer 8: the conditions of a list: what an index selects, what is tested. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_sql.h"
#include "hs_store_list_int.h"

#include <apr_strings.h>

#include <string.h>

typedef const int span_fragments[2];

static const int entry_spans[2][2] = {
    [HS_SORT_CREATED] = {HS_SQL_LIST_CREATED_FROM, HS_SQL_LIST_CREATED_TO},
    [HS_SORT_UPDATED] = {HS_SQL_LIST_UPDATED_FROM, HS_SQL_LIST_UPDATED_TO},
};

void hs_listing_put(hs_listing *self, int fragment)
{
    hs_buffer_puts(&self->text, hs_store_sql(self->store, fragment));
    hs_buffer_putc(&self->text, '\n');
}

void hs_listing_bind_text(hs_listing *self, const char *text)
{
    APR_ARRAY_PUSH(self->values, const void *) = text;
}

void hs_listing_bind_number(hs_listing *self, apr_int64_t number)
{
    APR_ARRAY_PUSH(self->values, const void *) = apr_pmemdup(self->pool, &number, sizeof(number));
}

static int is_before(const hs_bound *one, const hs_bound *other)
{
    return one->us != other->us ? one->us < other->us : one->number < other->number;
}

/* One more end of a span. Only the tighter one is kept, because SQLite uses one from each side to
 * enter the index and would test the other row by row. */
static void tighten(hs_span *span, const hs_bound *other, int is_upper)
{
    hs_bound *end = is_upper ? &span->to : &span->from;

    if (!end->is_set || (is_upper ? is_before(other, end) : is_before(end, other))) {
        *end = *other;
    }
}

static void set_bound(hs_bound *end, int is_set, apr_time_t us)
{
    *end = (hs_bound){.is_set = is_set, .us = us};
}

/* A page begins behind its cursor. A walk ends before its stop. */
static void set_spans(hs_listing *self, int has_cursor)
{
    const hs_list *list = self->list;
    const hs_way *way = self->way;
    hs_span *created = &self->spans[HS_SORT_CREATED];
    hs_span *own = &self->spans[list->sort];
    hs_bound cursor = {.is_set = 1, .us = list->cursor_us, .number = list->cursor_number};
    hs_bound stop = {.is_set = 1, .us = way->stop_us, .number = way->stop_number};

    set_bound(&created->from, list->has_created_after, list->created_after_us);
    set_bound(&created->to, list->has_created_before, list->created_before_us);
    set_bound(&self->spans[HS_SORT_UPDATED].from, list->has_updated_after, list->updated_after_us);
    set_bound(&self->spans[HS_SORT_UPDATED].to, 0, 0);
    if (has_cursor) {
        tighten(own, &cursor, list->descending);
    }
    if (way->has_stop) {
        tighten(own, &stop, !list->descending);
    }
}

static hs_sort axis_of(const hs_list *list, hs_source source)
{
    switch (source) {
    case HS_SOURCE_ORDER:
        return list->sort;
    case HS_SOURCE_RANGE:
        return list->sort == HS_SORT_CREATED ? HS_SORT_UPDATED : HS_SORT_CREATED;
    case HS_SOURCE_PERSON:
    case HS_SOURCE_FOUND:
    default:
        return HS_SORT_CREATED;
    }
}

static hs_sort other_axis(const hs_listing *self)
{
    return self->axis == HS_SORT_CREATED ? HS_SORT_UPDATED : HS_SORT_CREATED;
}

void hs_listing_begin(hs_listing *self, int has_cursor, apr_pool_t *pool)
{
    self->axis = axis_of(self->list, self->way->source);
    self->pool = pool;
    self->values = apr_array_make(pool, 16, sizeof(const void *));
    hs_buffer_init(&self->text, 2048, pool);
    set_spans(self, has_cursor);
}

int hs_listing_has_other_span(const hs_listing *self)
{
    const hs_span *span = &self->spans[other_axis(self)];

    return span->from.is_set || span->to.is_set;
}

/* MariaDB enters an index by a single column only, so there the time comes twice. */
static void put_bound(hs_listing *self, int fragment, const hs_bound *end)
{
    if (end->is_set) {
        hs_listing_put(self, fragment);
        hs_listing_bind_number(self, end->us);
        if (strstr(hs_store_sql(self->store, fragment), " OR ")) {
            hs_listing_bind_number(self, end->us);
        }
        hs_listing_bind_number(self, end->number);
    }
}

static void put_span(hs_listing *self, span_fragments fragments, const hs_span *span)
{
    put_bound(self, fragments[0], &span->from);
    put_bound(self, fragments[1], &span->to);
}

/* Where both are asked for, the address is what fewer tickets have in common: whole sites call
 * their users "guest". */
static void put_person(hs_listing *self)
{
    const hs_list *list = self->list;

    hs_listing_put(self, list->email ? HS_SQL_LIST_IS_EMAIL : HS_SQL_LIST_IS_USER);
    hs_listing_bind_text(self, list->email ? list->email : list->user_id);
}

/* On PostgreSQL in a form that no index can serve. */
static void put_tested_span(hs_listing *self, hs_sort axis)
{
    static const int test_spans[2][2] = {
        [HS_SORT_CREATED] = {HS_SQL_LIST_TEST_CREATED_FROM, HS_SQL_LIST_TEST_CREATED_TO},
        [HS_SORT_UPDATED] = {HS_SQL_LIST_TEST_UPDATED_FROM, HS_SQL_LIST_TEST_UPDATED_TO},
    };

    put_span(self,
             hs_store_sql(self->store, test_spans[axis][0]) ? test_spans[axis] : entry_spans[axis],
             &self->spans[axis]);
}

void hs_listing_put_entry(hs_listing *self, int status)
{
    hs_listing_put(self, HS_SQL_LIST_WHERE);
    if (self->way->source == HS_SOURCE_FOUND) {
        put_tested_span(self, self->axis);
        return;
    }
    if (self->way->source == HS_SOURCE_PERSON) {
        put_person(self);
    } else if (status >= 0) {
        hs_listing_put(self, HS_SQL_LIST_IS_STATUS);
        hs_listing_bind_number(self, status);
    }
    put_span(self, entry_spans[self->axis], &self->spans[self->axis]);
}

static void put_test_text(hs_listing *self, int fragment, const char *value)
{
    if (value) {
        hs_listing_put(self, fragment);
        hs_listing_bind_text(self, value);
    }
}

/* Which conditions the index of a source leaves to be tested. Statuses are part of the indexes of
 * both orders. */
typedef struct tests {
    unsigned statuses;
    const char *email;
    const char *user_id;
} tests;

static tests tests_of(const hs_way *way, const hs_list *list)
{
    int is_person = way->source == HS_SOURCE_PERSON;
    int is_found = way->source == HS_SOURCE_FOUND;

    return (tests){
        .statuses = is_person || is_found ? list->statuses : 0,
        .email = is_person ? NULL : list->email,
        .user_id = is_person && !list->email ? NULL : list->user_id,
    };
}

void hs_listing_put_tests(hs_listing *self)
{
    const tests rest = tests_of(self->way, self->list);

    put_tested_span(self, other_axis(self));
    if (rest.statuses) {
        hs_listing_put(self, HS_SQL_LIST_TEST_STATUS);
        hs_listing_bind_number(self, rest.statuses);
    }
    put_test_text(self, HS_SQL_LIST_TEST_EMAIL, rest.email);
    put_test_text(self, HS_SQL_LIST_TEST_USER, rest.user_id);
}

int hs_store_way_has_tests(const hs_way *way, const hs_list *list)
{
    const tests rest = tests_of(way, list);
    hs_listing self = {.list = list, .way = way, .axis = axis_of(list, way->source)};

    set_spans(&self, list->has_cursor);
    return rest.statuses || rest.email || rest.user_id || hs_listing_has_other_span(&self);
}
