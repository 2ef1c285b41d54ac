/* hs_store_compose.c - layer 7: puts the list's SQL together from the fragments of sql/. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_buffer.h"
#include "hs_sql.h"
#include "hs_store_int.h"

#include <apr_cstr.h>
#include <apr_strings.h>

#include <string.h>

#define NO_STATUS (-1)

/* An end of a range in one of the two orders: the place of a ticket, which is not in the range
 * itself. Filters know no number: 0 stands before, and is no ticket's. */
typedef struct bound {
    int is_set;
    apr_int64_t us;
    apr_int64_t number;
} bound;

typedef struct range {
    bound from;
    bound to;
} range;

/* A statement that grows, with the values of its parameters. */
typedef struct query {
    const hs_store *store;
    const hs_list *list;
    range ranges[2]; /* by hs_sort */
    hs_sort axis;    /* whose index is walked */
    int is_searched; /* by words, so the order of creation is the words' order of rowids */
    hs_buffer text;
    apr_array_header_t *values;
    apr_pool_t *pool;
} query;

static void put(query *self, int fragment)
{
    hs_buffer_puts(&self->text, hs_store_sql(self->store, fragment));
    hs_buffer_putc(&self->text, '\n');
}

static void bind_text(query *self, const char *text)
{
    APR_ARRAY_PUSH(self->values, const void *) = text;
}

static void bind_number(query *self, apr_int64_t number)
{
    APR_ARRAY_PUSH(self->values, const void *) = apr_pmemdup(self->pool, &number, sizeof(number));
}

static int is_before(const bound *one, apr_int64_t us, apr_int64_t number)
{
    return one->us != us ? one->us < us : one->number < number;
}

/* The cursor is one more bound, in the list's own order; only the tighter one is kept, because
 * SQLite uses one from each side to enter the index and would test the other row by row. */
static void add_cursor(range *own, const hs_list *list)
{
    bound cursor = {.is_set = 1, .us = list->cursor_us, .number = list->cursor_number};

    if (list->descending) {
        if (!own->to.is_set || !is_before(&own->to, cursor.us, cursor.number)) {
            own->to = cursor;
        }
    } else if (!own->from.is_set || is_before(&own->from, cursor.us, cursor.number)) {
        own->from = cursor;
    }
}

static void set_bound(bound *end, int is_set, apr_time_t us)
{
    *end = (bound){.is_set = is_set, .us = us};
}

static void set_ranges(range ranges[2], const hs_list *list, int has_cursor)
{
    set_bound(&ranges[HS_SORT_CREATED].from, list->has_created_after, list->created_after_us);
    set_bound(&ranges[HS_SORT_CREATED].to, list->has_created_before, list->created_before_us);
    set_bound(&ranges[HS_SORT_UPDATED].from, list->has_updated_after, list->updated_after_us);
    set_bound(&ranges[HS_SORT_UPDATED].to, 0, 0);
    if (has_cursor) {
        add_cursor(&ranges[list->sort], list);
    }
}

/* MariaDB enters an index by a single column only, so there the time comes twice. */
static void put_bound(query *self, int fragment, const bound *end)
{
    if (end->is_set) {
        put(self, fragment);
        bind_number(self, end->us);
        if (strstr(hs_store_sql(self->store, fragment), " OR ")) {
            bind_number(self, end->us);
        }
        bind_number(self, end->number);
    }
}

static void put_ranges(query *self)
{
    const range *created = &self->ranges[HS_SORT_CREATED];
    const range *updated = &self->ranges[HS_SORT_UPDATED];

    put_bound(self, self->is_searched ? HS_SQL_LIST_WORDS_CREATED_FROM : HS_SQL_LIST_CREATED_FROM,
              &created->from);
    put_bound(self, self->is_searched ? HS_SQL_LIST_WORDS_CREATED_TO : HS_SQL_LIST_CREATED_TO,
              &created->to);
    put_bound(self, HS_SQL_LIST_UPDATED_FROM, &updated->from);
    put_bound(self, HS_SQL_LIST_UPDATED_TO, &updated->to);
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

/* Each word in quotes, as the beginning of one; all of them must be there. A word is letters and
 * digits, but a quote would end the string, so it is left out all the same. */
static const char *match_of(const query *self, const apr_array_header_t *words)
{
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
        for (const char *c =
                 hs_store_word(self->store, APR_ARRAY_IDX(words, i, const char *), self->pool);
             *c; c++) {
            if (!strchr("\"'\\", *c)) {
                hs_buffer_putc(&match, *c);
            }
        }
        hs_buffer_puts(&match, hs_store_sql(self->store, HS_SQL_MATCH_CLOSE));
    }
    return match.data;
}

/* Whether a search must look at the tickets themselves, not only at the numbers that it finds. */
static int needs_ticket(const query *self)
{
    const hs_list *list = self->list;

    return self->axis == HS_SORT_UPDATED || list->user_id || list->email || list->statuses ||
           self->ranges[HS_SORT_UPDATED].from.is_set || self->ranges[HS_SORT_UPDATED].to.is_set;
}

static void put_statuses(query *self)
{
    if (self->list->statuses) {
        put(self, HS_SQL_LIST_AND_STATUS);
        bind_number(self, self->list->statuses);
    }
}

static void put_search(query *self)
{
    const hs_list *list = self->list;

    put(self, needs_ticket(self) ? HS_SQL_LIST_FROM_WORDS_TICKET : HS_SQL_LIST_FROM_WORDS);
    bind_text(self, match_of(self, list->words));
    if (list->user_id) {
        put(self, HS_SQL_LIST_AND_USER);
        bind_text(self, list->user_id);
    }
    if (list->email) {
        put(self, HS_SQL_LIST_AND_EMAIL);
        bind_text(self, list->email);
    }
    put_statuses(self);
}

/* Where both are asked for, the address is what fewer tickets have in common: whole sites call
 * their users "guest". */
static void put_user_or_email(query *self)
{
    const hs_list *list = self->list;

    if (list->email) {
        put(self, HS_SQL_LIST_FROM_EMAIL);
        bind_text(self, list->email);
        if (list->user_id) {
            put(self, HS_SQL_LIST_AND_USER);
            bind_text(self, list->user_id);
        }
    } else {
        put(self, HS_SQL_LIST_FROM_USER);
        bind_text(self, list->user_id);
    }
    put_statuses(self);
}

/* One range of one index: of all tickets, or of those with one status. */
static void put_arm(query *self, int status)
{
    int is_updated = self->axis == HS_SORT_UPDATED;

    if (status == NO_STATUS) {
        put(self, is_updated ? HS_SQL_LIST_FROM_UPDATED : HS_SQL_LIST_FROM_CREATED);
    } else {
        put(self, is_updated ? HS_SQL_LIST_FROM_STATUS_UPDATED : HS_SQL_LIST_FROM_STATUS_CREATED);
        bind_number(self, status);
    }
    put_ranges(self);
}

/* Several statuses are one arm each, so that all of them come in order and are merged. */
static void put_arms(query *self)
{
    int arms = 0;

    if (!self->list->statuses) {
        put_arm(self, NO_STATUS);
        return;
    }
    for (int status = 0; status < HS_STATUS_COUNT; status++) {
        if (self->list->statuses & (1u << status)) {
            if (arms++ > 0) {
                put(self, HS_SQL_LIST_UNION);
            }
            put_arm(self, status);
        }
    }
}

static void put_source(query *self)
{
    if (self->is_searched) {
        put_search(self);
        put_ranges(self);
    } else if (self->list->user_id || self->list->email) {
        put_user_or_email(self);
        put_ranges(self);
    } else {
        put_arms(self);
    }
}

static void put_order(query *self)
{
    static const int plain[2][2] = {
        [HS_SORT_CREATED] = {HS_SQL_LIST_ORDER_CREATED, HS_SQL_LIST_ORDER_CREATED_DESC},
        [HS_SORT_UPDATED] = {HS_SQL_LIST_ORDER_UPDATED, HS_SQL_LIST_ORDER_UPDATED_DESC},
    };
    static const int searched[2] = {HS_SQL_LIST_ORDER_WORDS, HS_SQL_LIST_ORDER_WORDS_DESC};
    const hs_list *list = self->list;
    int descending = list->descending ? 1 : 0;

    if (self->is_searched && list->sort == HS_SORT_CREATED) {
        put(self, searched[descending]);
    } else {
        put(self, plain[list->sort][descending]);
    }
}

static void begin(query *self, const hs_store *store, const hs_list *list, hs_sort axis,
                  apr_pool_t *pool)
{
    self->store = store;
    self->list = list;
    self->axis = axis;
    self->is_searched = list->words != NULL;
    self->pool = pool;
    self->values = apr_array_make(pool, 16, sizeof(const void *));
    hs_buffer_init(&self->text, 2048, pool);
}

const char *hs_store_compose(const hs_store *store, const void ***values, const hs_list *list,
                             hs_sort axis, apr_pool_t *pool)
{
    query self;

    begin(&self, store, list, axis, pool);
    set_ranges(self.ranges, list, list->has_cursor);
    put(&self, HS_SQL_LIST_HEAD);
    put_source(&self);
    put_order(&self);
    put(&self, HS_SQL_LIST_LIMIT);
    /* One more than asked for tells whether there is a next page. */
    bind_number(&self, (apr_int64_t)list->limit + 1);
    bind_number(&self, list->has_skip ? list->skip : 0);
    put(&self, HS_SQL_LIST_TAIL);
    /* SQLite keeps the page's order when it joins the tickets, and would sort them again. */
    if (hs_db_is_server(store->db)) {
        put_order(&self);
    }
    *values = (const void **)self.values->elts;
    return self.text.data;
}

/* Counting walks the index of a range that the list has. The cursor does not count. */
const char *hs_store_compose_count(const hs_store *store, const void ***values, const hs_list *list,
                                   apr_int64_t cap, apr_pool_t *pool)
{
    hs_sort axis = list->has_updated_after ? HS_SORT_UPDATED : HS_SORT_CREATED;
    query self;

    begin(&self, store, list, axis, pool);
    if (list->words) {
        self.axis = HS_SORT_CREATED;
    }
    set_ranges(self.ranges, list, 0);
    put(&self, HS_SQL_LIST_COUNT_HEAD);
    put_source(&self);
    if (cap > 0) {
        put(&self, HS_SQL_LIST_LIMIT);
        bind_number(&self, cap + 1);
        bind_number(&self, 0);
    }
    put(&self, HS_SQL_LIST_COUNT_TAIL);
    *values = (const void **)self.values->elts;
    return self.text.data;
}
