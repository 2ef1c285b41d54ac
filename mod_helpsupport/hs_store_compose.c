/* hs_store_compose.c - layer 8: puts the list's SQL together from the fragments of sql/. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_sql.h"
#include "hs_store_list_int.h"

#define NO_STATUS (-1)

/* What an arm gives: tickets, their keys, their number, all keys that the index gives before any
 * test, or what the tests say of each of these. */
typedef enum part { PART_COLUMNS, PART_KEYS, PART_COUNT, PART_PLACES, PART_SAMPLE } part;

static void put_select(hs_listing *self, part what)
{
    switch (what) {
    case PART_COLUMNS:
        hs_listing_put(self, HS_SQL_LIST_COLUMNS);
        return;
    case PART_COUNT:
        hs_listing_put(self, HS_SQL_LIST_COUNT);
        return;
    case PART_SAMPLE:
        hs_listing_put(self, HS_SQL_LIST_SAMPLE);
        hs_listing_put_tests(self);
        hs_listing_put(self, HS_SQL_LIST_SAMPLE_HIT);
        return;
    case PART_KEYS:
    case PART_PLACES:
    default:
        hs_listing_put(self, HS_SQL_LIST_KEYS);
    }
}

static void put_from(hs_listing *self, int has_status)
{
    static const int froms[2][2] = {
        [HS_SORT_CREATED] = {HS_SQL_LIST_FROM_CREATED, HS_SQL_LIST_FROM_STATUS_CREATED},
        [HS_SORT_UPDATED] = {HS_SQL_LIST_FROM_UPDATED, HS_SQL_LIST_FROM_STATUS_UPDATED},
    };

    switch (self->way->source) {
    case HS_SOURCE_PERSON:
        hs_listing_put(self, self->list->email ? HS_SQL_LIST_FROM_EMAIL : HS_SQL_LIST_FROM_USER);
        return;
    case HS_SOURCE_FOUND:
        hs_listing_put(self, HS_SQL_LIST_FROM_FOUND);
        hs_listing_bind_text(self, self->way->found);
        return;
    case HS_SOURCE_ORDER:
    case HS_SOURCE_RANGE:
    default:
        hs_listing_put(self, froms[self->axis][has_status]);
    }
}

/* One range of one index: of all tickets, or of those with one status. */
static void put_arm(hs_listing *self, part what, int status)
{
    put_select(self, what);
    put_from(self, status != NO_STATUS);
    hs_listing_put_entry(self, status);
    if (what != PART_PLACES && what != PART_SAMPLE) {
        hs_listing_put_tests(self);
    }
}

static void put_order(hs_listing *self)
{
    static const int plain[2][2] = {
        [HS_SORT_CREATED] = {HS_SQL_LIST_ORDER_CREATED, HS_SQL_LIST_ORDER_CREATED_DESC},
        [HS_SORT_UPDATED] = {HS_SQL_LIST_ORDER_UPDATED, HS_SQL_LIST_ORDER_UPDATED_DESC},
    };
    const hs_list *list = self->list;

    hs_listing_put(self, plain[list->sort][list->descending ? 1 : 0]);
}

static void put_limit(hs_listing *self, apr_int64_t limit, apr_int64_t offset)
{
    hs_listing_put(self, HS_SQL_LIST_LIMIT);
    hs_listing_bind_number(self, limit);
    hs_listing_bind_number(self, offset);
}

/* Whether the statuses are in the index, so that each is an arm of its own. */
static int has_arms(const hs_listing *self)
{
    hs_source source = self->way->source;

    return self->list->statuses && (source == HS_SOURCE_ORDER || source == HS_SOURCE_RANGE);
}

static int has_one_arm(const hs_listing *self)
{
    unsigned statuses = self->list->statuses;

    return !has_arms(self) || (statuses & (statuses - 1)) == 0;
}

/* No more than `most` (0: all) of one arm are needed. */
static void put_one_of_arms(hs_listing *self, part what, int status, apr_int64_t most)
{
    int has_limit = most > 0 && hs_store_sql(self->store, HS_SQL_LIST_ARM_OPEN);

    if (has_limit) {
        hs_listing_put(self, HS_SQL_LIST_ARM_OPEN);
    }
    put_arm(self, what, status);
    if (has_limit) {
        put_order(self);
        put_limit(self, most, 0);
        hs_listing_put(self, HS_SQL_LIST_ARM_CLOSE);
    }
}

/* Several statuses are one arm each, so that all of them come in order and are merged. */
static void put_arms(hs_listing *self, part what, apr_int64_t most)
{
    int arms = 0;

    if (!has_arms(self)) {
        put_arm(self, what, NO_STATUS);
        return;
    }
    for (int status = 0; status < HS_STATUS_COUNT; status++) {
        if (self->list->statuses & (1u << status)) {
            if (arms++ > 0) {
                hs_listing_put(self, HS_SQL_LIST_UNION);
            }
            put_one_of_arms(self, what, status, has_one_arm(self) ? 0 : most);
        }
    }
}

int hs_store_way_is_in_order(const hs_way *way, const hs_list *list)
{
    return way->source == HS_SOURCE_ORDER ||
           (way->source == HS_SOURCE_PERSON && list->sort == HS_SORT_CREATED);
}

static int is_in_order(const hs_listing *self)
{
    return hs_store_way_is_in_order(self->way, self->list);
}

/* Rows in the list's order. An order must be said again outside of a sub-select that has it. */
static void put_rows(hs_listing *self, part what, apr_int64_t limit, apr_int64_t offset)
{
    int is_few = is_in_order(self) && offset == 0 && limit <= HS_LIMIT_MAX + 1;
    int head = is_few ? HS_SQL_LIST_FEW_HEAD : HS_SQL_LIST_FOUND_HEAD;
    int is_wrapped = (is_few || !is_in_order(self)) && hs_store_sql(self->store, head);

    if (is_wrapped) {
        hs_listing_put(self, head);
    }
    put_arms(self, what, offset > APR_INT64_MAX - limit ? APR_INT64_MAX : offset + limit);
    if (is_wrapped && is_few) {
        put_order(self);
    }
    if (is_wrapped) {
        hs_listing_put(self, is_few ? HS_SQL_LIST_FEW_TAIL : HS_SQL_LIST_FOUND_TAIL);
    }
    put_order(self);
    put_limit(self, limit, offset);
}

static const char *end(const hs_listing *self, const void ***values)
{
    *values = (const void **)self->values->elts;
    return self->text.data;
}

/* Whether the tickets are read as the index gives them. What is passed over or sorted is keys, and
 * only the page's tickets are read. */
static int is_direct(const hs_listing *self, apr_int64_t skip)
{
    return is_in_order(self) && has_one_arm(self) && skip == 0;
}

const char *hs_store_compose(const hs_store *store, const void ***values, const hs_list *list,
                             const hs_way *way, apr_pool_t *pool)
{
    hs_listing self = {.store = store, .list = list, .way = way};
    apr_int64_t skip = list->has_skip ? list->skip : 0;
    /* One more than asked for tells whether there is a next page. */
    apr_int64_t limit = (apr_int64_t)list->limit + 1;

    hs_listing_begin(&self, list->has_cursor, pool);
    if (is_direct(&self, skip)) {
        put_rows(&self, PART_COLUMNS, limit, 0);
        return end(&self, values);
    }
    hs_listing_put(&self, HS_SQL_LIST_PAGE_HEAD);
    put_rows(&self, PART_KEYS, limit, skip);
    hs_listing_put(&self, HS_SQL_LIST_PAGE_TAIL);
    /* SQLite keeps the page's order when it joins the tickets, and would sort them again. */
    if (hs_db_is_server(store->db)) {
        put_order(&self);
    }
    return end(&self, values);
}

const char *hs_store_compose_keys(const hs_store *store, const void ***values, const hs_list *list,
                                  const hs_way *way, apr_int64_t limit, apr_pool_t *pool)
{
    hs_listing self = {.store = store, .list = list, .way = way};

    hs_listing_begin(&self, list->has_cursor, pool);
    hs_listing_put(&self, list->sort == HS_SORT_CREATED ? HS_SQL_LIST_PACKED_CREATED
                                                        : HS_SQL_LIST_PACKED_UPDATED);
    put_rows(&self, PART_KEYS, limit, 0);
    hs_listing_put(&self, HS_SQL_LIST_PACKED_TAIL);
    return end(&self, values);
}

static void put_count_to(hs_listing *self, apr_int64_t most)
{
    hs_listing_put(self, HS_SQL_LIST_COUNT_HEAD);
    put_arms(self, PART_KEYS, most);
    if (is_in_order(self)) {
        put_order(self); /* else PostgreSQL may begin to read the table itself */
    }
    put_limit(self, most, 0);
    hs_listing_put(self, HS_SQL_LIST_COUNT_TAIL);
}

/* Each arm is counted by itself: MariaDB would write a union of two million keys to a table. */
static void put_count_all(hs_listing *self)
{
    if (has_one_arm(self)) {
        put_arms(self, PART_COUNT, 0);
        return;
    }
    hs_listing_put(self, HS_SQL_LIST_SUM_HEAD);
    put_arms(self, PART_COUNT, 0);
    hs_listing_put(self, HS_SQL_LIST_SUM_TAIL);
}

const char *hs_store_compose_count(const hs_store *store, const void ***values, const hs_list *list,
                                   const hs_way *way, apr_int64_t cap, apr_pool_t *pool)
{
    hs_listing self = {.store = store, .list = list, .way = way};

    hs_listing_begin(&self, 0, pool);
    if (cap > 0) {
        put_count_to(&self, cap + 1);
    } else {
        put_count_all(&self);
    }
    return end(&self, values);
}

const char *hs_store_compose_sample(const hs_store *store, const void ***values,
                                    const hs_list *list, const hs_way *way, apr_pool_t *pool)
{
    hs_listing self = {.store = store, .list = list, .way = way};

    hs_listing_begin(&self, list->has_cursor, pool);
    hs_listing_put(&self, HS_SQL_LIST_SAMPLE_HEAD);
    put_rows(&self, PART_SAMPLE, store->sample, 0);
    hs_listing_put(&self, HS_SQL_LIST_SAMPLE_TAIL);
    return end(&self, values);
}

const char *hs_store_compose_place(const hs_store *store, const void ***values, const hs_list *list,
                                   const hs_way *way, apr_int64_t offset, apr_pool_t *pool)
{
    hs_listing self = {.store = store, .list = list, .way = way};

    hs_listing_begin(&self, list->has_cursor, pool);
    put_rows(&self, PART_PLACES, 1, offset);
    return end(&self, values);
}
