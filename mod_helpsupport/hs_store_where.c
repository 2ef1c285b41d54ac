/* hs_store_where.c - layer 8: the conditions of a list: what an index selects, what is tested. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_sql.h"
#include "hs_store_list_int.h"

#include <apr_cstr.h>
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

void hs_listing_put_extra(hs_listing *self, int fragment)
{
    if (hs_store_sql(self->store, fragment)) {
        hs_listing_put(self, fragment);
    }
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
    case HS_SOURCE_WORDS:
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

/* Whether another word begins with this one, so that it adds nothing but cost: FTS5 goes through
 * everything that each prefix finds, and five hundred times "a" would hold up the whole process. */
static int is_implied(const apr_array_header_t *words, int index)
{
    const char *word = APR_ARRAY_IDX(words, index, const char *);
    size_t length = strlen(word);

    for (int i = 0; i < words->nelts; i++) {
        const char *other = APR_ARRAY_IDX(words, i, const char *);

        if (i != index && apr_cstr_casecmpn(other, word, length) == 0 &&
            (other[length] || i < index)) {
            return 1;
        }
    }
    return 0;
}

/* A word as the database has it. It is letters and digits, but a quote would end the string, so it
 * is left out all the same. */
static const char *word_of(const hs_listing *self, const apr_array_header_t *words, int index)
{
    const char *word = APR_ARRAY_IDX(words, index, const char *);
    hs_buffer clean;

    hs_buffer_init(&clean, 32, self->pool);
    for (const char *c = hs_store_word(self->store, word, self->pool); *c; c++) {
        if (!strchr("\"'\\", *c)) {
            hs_buffer_putc(&clean, *c);
        }
    }
    return clean.data;
}

/* Each word to find in quotes, as the beginning of one; all of them must be there. */
static const char *match_of(const hs_listing *self)
{
    const apr_array_header_t *words = self->way->rare ? self->way->rare : self->list->words;
    hs_buffer match;

    hs_buffer_init(&match, 128, self->pool);
    for (int i = 0; i < words->nelts; i++) {
        if (is_implied(words, i)) {
            continue;
        }
        if (match.length > 0) {
            hs_buffer_putc(&match, ' ');
            hs_buffer_puts(&match, hs_store_sql(self->store, HS_SQL_MATCH_AND));
            hs_buffer_putc(&match, ' ');
        }
        hs_buffer_puts(&match, hs_store_sql(self->store, HS_SQL_MATCH_OPEN));
        hs_buffer_puts(&match, word_of(self, words, i));
        hs_buffer_puts(&match, hs_store_sql(self->store, HS_SQL_MATCH_CLOSE));
    }
    return match.data;
}

/* Where both are asked for, the address is what fewer tickets have in common: whole sites call
 * their users "guest". */
static void put_person(hs_listing *self)
{
    const hs_list *list = self->list;

    hs_listing_put(self, list->email ? HS_SQL_LIST_IS_EMAIL : HS_SQL_LIST_IS_USER);
    hs_listing_bind_text(self, list->email ? list->email : list->user_id);
}

void hs_listing_put_entry(hs_listing *self, int status)
{
    static span_fragments words = {HS_SQL_LIST_WORDS_CREATED_FROM, HS_SQL_LIST_WORDS_CREATED_TO};
    hs_source source = self->way->source;

    hs_listing_put(self, HS_SQL_LIST_WHERE);
    if (source == HS_SOURCE_WORDS) {
        hs_listing_put(self, HS_SQL_LIST_IS_MATCH);
        hs_listing_bind_text(self, match_of(self));
    } else if (source == HS_SOURCE_PERSON) {
        put_person(self);
    } else if (status >= 0) {
        hs_listing_put(self, HS_SQL_LIST_IS_STATUS);
        hs_listing_bind_number(self, status);
    }
    put_span(self, source == HS_SOURCE_WORDS ? words : entry_spans[self->axis],
             &self->spans[self->axis]);
}

/* On PostgreSQL in a form that the other order's index can't serve. */
static void put_other_span(hs_listing *self)
{
    static const int test_spans[2][2] = {
        [HS_SORT_CREATED] = {HS_SQL_LIST_TEST_CREATED_FROM, HS_SQL_LIST_TEST_CREATED_TO},
        [HS_SORT_UPDATED] = {HS_SQL_LIST_TEST_UPDATED_FROM, HS_SQL_LIST_TEST_UPDATED_TO},
    };
    hs_sort other = other_axis(self);

    put_span(self,
             hs_store_sql(self->store, test_spans[other][0]) ? test_spans[other]
                                                             : entry_spans[other],
             &self->spans[other]);
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
    const apr_array_header_t *words;
} tests;

static tests tests_of(const hs_way *way, const hs_list *list)
{
    int is_person = way->source == HS_SOURCE_PERSON;
    int is_words = way->source == HS_SOURCE_WORDS;

    return (tests){
        .statuses = is_person || is_words ? list->statuses : 0,
        .email = is_person ? NULL : list->email,
        .user_id = is_person && !list->email ? NULL : list->user_id,
        .words = is_words && !way->rare ? NULL : list->words,
    };
}

int hs_listing_tests_words(const hs_listing *self)
{
    return tests_of(self->way, self->list).words != NULL;
}

void hs_listing_put_tests(hs_listing *self)
{
    const tests rest = tests_of(self->way, self->list);

    put_other_span(self);
    if (rest.statuses) {
        hs_listing_put(self, HS_SQL_LIST_TEST_STATUS);
        hs_listing_bind_number(self, rest.statuses);
    }
    put_test_text(self, HS_SQL_LIST_TEST_EMAIL, rest.email);
    put_test_text(self, HS_SQL_LIST_TEST_USER, rest.user_id);
    for (int i = 0; rest.words && i < rest.words->nelts; i++) {
        if (!is_implied(rest.words, i)) {
            put_test_text(self, HS_SQL_LIST_TEST_WORD, word_of(self, rest.words, i));
        }
    }
}

int hs_store_way_has_tests(const hs_way *way, const hs_list *list)
{
    const tests rest = tests_of(way, list);
    hs_listing self = {.list = list, .way = way, .axis = axis_of(list, way->source)};

    set_spans(&self, list->has_cursor);
    return rest.statuses || rest.email || rest.user_id || rest.words ||
           hs_listing_has_other_span(&self);
}
