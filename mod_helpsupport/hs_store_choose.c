/* hs_store_choose.c - layer 8: how a list is read: walked in its order, or found and sorted. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_sql.h"
#include "hs_store_int.h"

/* There are two ways to read a list whose order and conditions no single index serves. Walk: go
 * through the index that has the order, and test each ticket. That is good where many match: the
 * page is full soon. Find: take all that another index gives, and sort. That is good where few
 * match. No database knows which (statistics are old, words meet or don't), and each mistake costs
 * seconds; so a sample is looked at first: the first tickets of the walk. */

/* A walk that passes over this many tickets for each one that it gives costs as much as finding
 * what is rarer. Per ticket, of two million: PostgreSQL walks in 0.3 us and finds in 2, MariaDB
 * in 2 and 6. */
#define PASSED_MAX 200

/* A count of everything ends only with the index that it goes through, so there to walk pays only
 * where more than every so many of all tickets match. */
#define PASSED_MAX_ALL 4

/* What is not there as often as in the sample does not hold up a walk for ever: it stops after so
 * many times what the sample promised. */
#define PATIENCE 2

/* A user or an address with no more tickets than this is not worth a sample: all are read. */
#define PERSON_MAX 2000

/* Larger pages than anyone asks for; here to keep products in range. */
#define NEED_MAX 1000000000

typedef struct choice {
    hs_store *store;
    hs_conn *conn;
    const hs_list *list;
    apr_int64_t need; /* tickets; 0: all */
    hs_way *way;      /* what is being considered */
    apr_pool_t *pool;
} choice;

/* How many tickets of the sample of `way` there are, and how many of them pass the tests. */
static hs_error *ask_sample(const choice *self, apr_int64_t counts[2], const hs_way *way,
                            const hs_list *list)
{
    const void **values;
    const char *sql = hs_store_compose_sample(self->store, &values, list, way, self->pool);
    hs_rows *rows;
    hs_error *error = hs_conn_select(self->conn, &rows, sql, values, self->pool);

    if (!error) {
        counts[0] = hs_rows_number(rows, 0, 0);
        counts[1] = hs_rows_number(rows, 0, 1);
    }
    return error;
}

/* Let a walk end behind so many tickets. */
static hs_error *set_stop(const choice *self, apr_int64_t offset)
{
    const hs_list *list = self->list;
    const void **values;
    const char *sql =
        hs_store_compose_place(self->store, &values, list, self->way, offset, self->pool);
    hs_rows *rows;
    hs_error *error = hs_conn_select(self->conn, &rows, sql, values, self->pool);

    if (!error && rows->count > 0) {
        self->way->stop_number = hs_rows_number(rows, 0, 0);
        self->way->stop_us = hs_rows_number(rows, 0, list->sort == HS_SORT_CREATED ? 1 : 2);
        self->way->has_stop = 1;
    }
    return error;
}

/* Whether to walk: *fits. */
static hs_error *try_walk(const choice *self, int *fits, hs_source source)
{
    apr_int64_t counts[2] = {0, 0};
    hs_error *error;

    *fits = 1;
    *self->way = (hs_way){.source = source};
    if (!hs_store_way_has_tests(self->way, self->list)) {
        return NULL;
    }
    error = ask_sample(self, counts, self->way, self->list);
    if (error || counts[0] < self->store->sample) {
        return error; /* these are all that there are */
    }
    *fits = counts[1] > 0 && counts[1] * (self->need ? PASSED_MAX : PASSED_MAX_ALL) >= counts[0];
    if (!*fits || !self->need) {
        return NULL;
    }
    return set_stop(self, self->need * PATIENCE * counts[0] / counts[1]);
}

/* Whether all of one user's or address's tickets are few enough to be read: *fits. */
static hs_error *try_person(const choice *self, int *fits)
{
    const hs_list *list = self->list;
    hs_list all = {.user_id = list->email ? NULL : list->user_id, .email = list->email};
    const void **values;
    const char *sql;
    hs_rows *rows;
    hs_error *error;

    *self->way = (hs_way){.source = HS_SOURCE_PERSON};
    *fits = list->sort == HS_SORT_CREATED && !hs_store_way_has_tests(self->way, list);
    if (*fits) {
        return NULL;
    }
    sql = hs_store_compose_count(self->store, &values, &all, self->way, PERSON_MAX, self->pool);
    error = hs_conn_select(self->conn, &rows, sql, values, self->pool);
    if (!error) {
        *fits = hs_rows_number(rows, 0, 0) <= PERSON_MAX;
    }
    return error;
}

hs_way hs_store_way_to_all(const hs_list *list)
{
    return (hs_way){.source = list->user_id || list->email ? HS_SOURCE_PERSON : HS_SOURCE_RANGE};
}

hs_error *hs_store_choose(hs_store *store, hs_conn *conn, hs_way *way, const hs_list *list,
                          apr_int64_t need, apr_pool_t *pool)
{
    const choice self = {.store = store,
                         .conn = conn,
                         .list = list,
                         .need = need < NEED_MAX ? need : NEED_MAX,
                         .way = way,
                         .pool = pool};
    int has_person = list->user_id || list->email;
    int fits = 0;
    hs_error *error = NULL;

    if (has_person) {
        error = try_person(&self, &fits);
    }
    if (!error && !fits && has_person && list->sort == HS_SORT_CREATED) {
        error = try_walk(&self, &fits, HS_SOURCE_PERSON);
    }
    if (!error && !fits) {
        error = try_walk(&self, &fits, HS_SOURCE_ORDER);
    }
    if (!error && !fits) {
        *way = hs_store_way_to_all(list);
    }
    return error;
}
