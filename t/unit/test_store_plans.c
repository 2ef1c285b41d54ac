/* test_store_plans.c - no list reads more than it must: SQLite's plan of every shape it can have.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store_fixture.h"

#include "hs_sql.h"
#include "hs_store_int.h"

/* What a list may have; every combination is a shape. */
enum {
    USER = 1,
    EMAIL = 2,
    CREATED_AFTER = 4,
    CREATED_BEFORE = 8,
    UPDATED_AFTER = 16,
    CURSOR = 32,
    DESCENDING = 64,
    BY_UPDATE = 128,
    EVERYTHING = 255
};

static const unsigned status_sets[] = {0, 1, 5, 14};

typedef struct shape {
    const char *sql;
    const void **values;
    int may_sort; /* it can't be answered in the order of an index */
    int may_look; /* it tests what the index does not hold */
    hs_rows *plan;
} shape;

static void make_list(hs_list *list, int has, unsigned statuses)
{
    memset(list, 0, sizeof(*list));
    list->limit = 100;
    list->statuses = statuses;
    list->user_id = has & USER ? "user" : NULL;
    list->email = has & EMAIL ? "jane@example.com" : NULL;
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
    int is_ticket = strncmp(line, "SCAN t", 6) == 0 || strncmp(line, "SEARCH t", 8) == 0;
    int is_index = strstr(line, " USING INDEX") != NULL;

    if (strncmp(line, "SCAN t", 6) == 0 && !strstr(line, " INDEX ")) {
        return "reads all tickets";
    }
    if (is_ticket && is_index && !self->may_look) {
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

/* The ways that a list may be read, and whether one of them applies. */
static int may_go(const hs_list *list, hs_source source)
{
    switch (source) {
    case HS_SOURCE_PERSON:
        return list->user_id || list->email;
    case HS_SOURCE_ORDER:
    case HS_SOURCE_RANGE:
    case HS_SOURCE_FOUND:
    default:
        return 1;
    }
}

/* Whether a condition is tested that the index does not hold. */
static int tests_ticket(const hs_list *list, hs_source source)
{
    if (source == HS_SOURCE_PERSON) {
        return list->user_id && list->email;
    }
    return list->user_id || list->email || source == HS_SOURCE_FOUND;
}

/* Whether the tickets come from one range of one index in order, so that they are read at once. */
static int is_direct(const hs_list *list, hs_source source, int in_order)
{
    int has_arms = source == HS_SOURCE_ORDER && (list->statuses & (list->statuses - 1)) != 0;

    return in_order && !has_arms;
}

static int check_way(fixture *f, const hs_list *list, const hs_way *way, apr_pool_t *pool)
{
    int in_order = hs_store_way_is_in_order(way, list);
    int looks = tests_ticket(list, way->source);
    shape self = {.may_look = looks, .may_sort = !in_order};
    hs_way stopped = *way;
    int faults;

    stopped.has_stop = 1;
    self.may_look = looks || is_direct(list, way->source, in_order);
    self.sql = hs_store_compose(f->store, &self.values, list, way, pool);
    faults = check_shape(f, &self, pool);
    self.sql = hs_store_compose(f->store, &self.values, list, &stopped, pool);
    faults += check_shape(f, &self, pool);
    self.may_look = looks;
    self.sql = hs_store_compose_count(f->store, &self.values, list, way, 0, pool);
    faults += check_shape(f, &self, pool);
    self.sql = hs_store_compose_count(f->store, &self.values, list, way, 1000, pool);
    faults += check_shape(f, &self, pool);
    if (in_order) {
        self.sql = hs_store_compose_sample(f->store, &self.values, list, way, pool);
        faults += check_shape(f, &self, pool);
        self.may_look = 0;
        self.sql = hs_store_compose_place(f->store, &self.values, list, way, 5000, pool);
        faults += check_shape(f, &self, pool);
    }
    return faults;
}

static int check_list(fixture *f, const hs_list *list, apr_pool_t *pool)
{
    int faults = 0;

    for (int source = HS_SOURCE_ORDER; source <= HS_SOURCE_FOUND; source++) {
        const hs_way way = {.source = (hs_source)source, .found = "[1,2,3]"};

        if (may_go(list, way.source)) {
            faults += check_way(f, list, &way, pool);
        }
    }
    return faults;
}

static void test_shapes(apr_pool_t *root)
{
    fixture f;
    apr_pool_t *pool;
    int faults = 0;
    int shapes = 0;

    fixture_open(&f, root);
    apr_pool_create(&pool, f.pool);
    for (int has = 0; has <= EVERYTHING; has++) {
        for (size_t i = 0; i < sizeof(status_sets) / sizeof(*status_sets); i++) {
            hs_list list;

            make_list(&list, has, status_sets[i]);
            faults += check_list(&f, &list, pool);
            shapes++;
            apr_pool_clear(pool);
        }
    }
    tap_ok(shapes > 1000, "%d shapes of lists were looked at", shapes);
    tap_is_int(faults, 0, "none reads or sorts more than it must");
    fixture_close(&f);
}

/* ---- the statements of a search, and of its index ---- */

/* Whether a plan says nothing worse than `wanted`, once or more. */
static int check_statement(fixture *f, int sql, const void **values, const char *wanted)
{
    shape self = {.sql = hs_store_sql(f->store, sql), .values = values};
    int found = 0;

    if (!fixture_worked(hs_store_read(f->store, explain, &self, f->pool))) {
        return 0;
    }
    for (int row = 0; row < self.plan->count; row++) {
        const char *line = hs_rows_text(self.plan, row, 3);
        int is_read = strstr(line, "SCAN ticket") || strstr(line, "SCAN t ") ||
                      strstr(line, "SCAN p") || strstr(line, "SCAN search_page") ||
                      strstr(line, "AUTOMATIC") || strstr(line, "TEMP B-TREE");

        found += strstr(line, wanted) != NULL;
        if (is_read) {
            printf("# it reads all: %s\n# in: %s\n", line, self.sql);
            return 0;
        }
    }
    if (!found) {
        printf("# not by %s: %s\n", wanted, self.sql);
    }
    return found > 0;
}

static void check_search(fixture *f, const char *when)
{
    apr_int64_t n = 5;
    const void *numbers[] = {&n, &n, &n};
    const void *array[] = {"[1,2,3]"};
    const void *pages[] = {"[[1,0],[2,5]]"};
    int good =
        check_statement(f, HS_SQL_SEARCH_RANGE, numbers,
                        "SEARCH t USING COVERING INDEX ticket_created (created_us>?)") &&
        check_statement(f, HS_SQL_SEARCH_RANGE, numbers,
                        "SEARCH t USING COVERING INDEX ticket_created (created_us<?)") &&
        check_statement(f, HS_SQL_SEARCH_RANGE, numbers,
                        "SEARCH w USING INTEGER PRIMARY KEY (rowid=?)") &&
        check_statement(f, HS_SQL_SEARCH_NUMBERS, numbers,
                        "SEARCH ticket USING COVERING INDEX ticket_created") &&
        check_statement(f, HS_SQL_SEARCH_PAGES, pages, "(segment=? AND page=?)") &&
        check_statement(f, HS_SQL_SEARCH_CREATED, numbers, "USING INTEGER PRIMARY KEY (rowid=?)") &&
        check_statement(f, HS_SQL_INDEX_TIMES, numbers,
                        "USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)") &&
        check_statement(f, HS_SQL_INDEX_PAGES, numbers, "(segment=?)") &&
        check_statement(f, HS_SQL_INDEX_TAKE_WAITING, array, "PRIMARY KEY (rowid=?)") &&
        check_statement(f, HS_SQL_INDEX_TAKE_SEGMENTS, array, "PRIMARY KEY (rowid=?)") &&
        check_statement(f, HS_SQL_INDEX_TAKE_PAGES, array, "(segment=?)");

    tap_ok(good, "a search reads no more than it must %s", when);
}

/* What ANALYZE saw when there was hardly a ticket makes a whole table look cheap. */
static void test_search(apr_pool_t *root)
{
    fixture f;

    fixture_open(&f, root);
    tap_ok(fixture_worked(hs_store_init(f.store, f.pool)), "the schema is made");
    check_search(&f, "in a new file");
    tap_ok(fixture_does(&f, "INSERT INTO ticket (id, user_id, name, phone_number, email, email_key,"
                            " status, version, created_us, updated_us, message) VALUES"
                            " ('id', 'u', 'N', '123', 'a', 'a', 0, 1, 1, 1, 'help')") &&
               fixture_does(&f, "INSERT INTO search_waiting (ticket, words) VALUES (1, ' help')") &&
               fixture_does(&f, "INSERT INTO search_page (segment, page, postings)"
                                " VALUES (1, 0, 'help 0')") &&
               fixture_does(&f, "ANALYZE"),
           "one ticket is analysed");
    check_search(&f, "then");
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
    test_search(pool);
    test_shapes(pool);
    return tap_done();
}
