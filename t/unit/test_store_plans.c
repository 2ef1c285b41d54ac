/* test_store_plans.c - no list reads more than it must: SQLite's plan of every shape it can have.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store_fixture.h"

#include "hs_store_int.h"

/* What a list may have; every combination is a shape. */
enum {
    USER = 1,
    EMAIL = 2,
    WORDS = 4,
    CREATED_AFTER = 8,
    CREATED_BEFORE = 16,
    UPDATED_AFTER = 32,
    CURSOR = 64,
    DESCENDING = 128,
    BY_UPDATE = 256,
    EVERYTHING = 511
};

static const unsigned status_sets[] = {0, 1, 5, 14};

typedef struct shape {
    const char *sql;
    const void **values;
    int may_sort; /* it can't be answered in the order of an index */
    int may_look; /* it tests what the index does not hold */
    hs_rows *plan;
} shape;

static void make_list(hs_list *list, int has, unsigned statuses, apr_pool_t *pool)
{
    memset(list, 0, sizeof(*list));
    list->limit = 100;
    list->statuses = statuses;
    list->user_id = has & USER ? "user" : NULL;
    list->email = has & EMAIL ? "jane@example.com" : NULL;
    if (has & WORDS) {
        list->words = apr_array_make(pool, 2, sizeof(const char *));
        APR_ARRAY_PUSH(list->words, const char *) = "data";
        APR_ARRAY_PUSH(list->words, const char *) = "trouble";
    }
    list->has_created_after = (has & CREATED_AFTER) != 0;
    list->has_created_before = (has & CREATED_BEFORE) != 0;
    list->has_updated_after = (has & UPDATED_AFTER) != 0;
    list->has_cursor = (has & CURSOR) != 0;
    list->descending = (has & DESCENDING) != 0;
    list->sort = has & BY_UPDATE ? HS_SORT_UPDATED : HS_SORT_CREATED;
}

static hs_error *explain(hs_store *store, hs_conn *conn, void *baton, apr_pool_t *pool)
{
    shape *self = baton;

    (void)store;
    return hs_conn_select(conn, &self->plan,
                          apr_pstrcat(pool, "EXPLAIN QUERY PLAN ", self->sql, NULL), self->values,
                          pool);
}

/* What is wrong with one line of a plan, or NULL. */
static const char *fault_of(const shape *self, const char *line)
{
    if (strncmp(line, "SCAN ticket", 11) == 0 && !strstr(line, "COVERING INDEX") &&
        !strstr(line, "VIRTUAL TABLE")) {
        return "reads all tickets";
    }
    if (strncmp(line, "SEARCH ticket USING INDEX", 25) == 0 && !self->may_look) {
        return "reads tickets that it may not answer";
    }
    if (strstr(line, "TEMP B-TREE") && !self->may_sort) {
        return "sorts";
    }
    return strstr(line, "AUTOMATIC") ? "makes an index" : NULL;
}

static int check_shape(fixture *f, shape *self, apr_pool_t *pool)
{
    int faults = 0;

    if (!fixture_worked(hs_store_read(f->store, explain, self, pool))) {
        printf("# %s\n", self->sql);
        return 1;
    }
    for (int row = 0; row < self->plan->count; row++) {
        const char *line = hs_rows_text(self->plan, row, 3);
        const char *fault = fault_of(self, line);

        if (fault) {
            printf("# it %s: %s\n# in: %s\n", fault, line, self->sql);
            faults++;
        }
    }
    return faults;
}

static int check_page(fixture *f, const hs_list *list, hs_sort axis, apr_pool_t *pool)
{
    shape self = {0};
    int is_single = list->user_id || list->email || list->words;

    self.may_sort = axis != list->sort || (is_single && list->sort == HS_SORT_UPDATED);
    self.may_look = list->user_id && list->email;
    self.sql = hs_store_compose(f->store, &self.values, list, axis, pool);
    return check_shape(f, &self, pool);
}

static int check_count(fixture *f, const hs_list *list, apr_int64_t cap, apr_pool_t *pool)
{
    shape self = {.may_look = list->user_id && list->email};

    self.sql = hs_store_compose_count(f->store, &self.values, list, cap, pool);
    return check_shape(f, &self, pool);
}

static void test_shapes(apr_pool_t *root)
{
    fixture f;
    apr_pool_t *pool;
    int page_faults = 0;
    int count_faults = 0;
    int shapes = 0;

    fixture_open(&f, root);
    apr_pool_create(&pool, f.pool);
    for (int has = 0; has <= EVERYTHING; has++) {
        for (size_t i = 0; i < sizeof(status_sets) / sizeof(*status_sets); i++) {
            hs_list list;

            make_list(&list, has, status_sets[i], pool);
            page_faults += check_page(&f, &list, list.sort, pool);
            if (!list.user_id && !list.email && !list.words) {
                page_faults += check_page(&f, &list, 1 - list.sort, pool);
            }
            count_faults += check_count(&f, &list, 0, pool);
            count_faults += check_count(&f, &list, 1000, pool);
            shapes++;
            apr_pool_clear(pool);
        }
    }
    tap_ok(shapes > 2000, "%d shapes of lists were looked at", shapes);
    tap_is_int(page_faults, 0, "no page reads or sorts more than it must");
    tap_is_int(count_faults, 0, "no count reads more than it must");
    fixture_close(&f);
}

/* The program itself prepares every statement of sql/ there. */
static void test_statements(apr_pool_t *root)
{
    fixture f;

    fixture_open(&f, root);
    tap_ok(fixture_worked(hs_store_init(f.store, f.pool)), "the schema is made");
    tap_ok(fixture_worked(hs_store_check(f.store, f.pool)), "every statement fits it");
    fixture_close(&f);
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_statements(pool);
    test_shapes(pool);
    return tap_done();
}
