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

/* Words of a search whose frequency is looked at: nobody types more than a few. */
#define WORDS_MAX 8

/* Larger pages than anyone asks for; here to keep products in range. */
#define NEED_MAX 1000000000

static hs_error *ask_count(hs_store *store, hs_conn *conn, apr_int64_t *count, const hs_list *list,
                           apr_pool_t *pool)
{
    const hs_way way = {.source = HS_SOURCE_PERSON};
    hs_list all = {.user_id = list->user_id, .email = list->email};
    const void **values;
    const char *sql;
    hs_rows *rows;
    hs_error *error;

    if (all.email) {
        all.user_id = NULL;
    }
    sql = hs_store_compose_count(store, &values, &all, &way, PERSON_MAX, pool);
    error = hs_conn_select(conn, &rows, sql, values, pool);
    if (!error) {
        *count = hs_rows_number(rows, 0, 0);
    }
    return error;
}

/* Let a walk end where twice as many tickets were tested as the sample says are needed. */
static hs_error *set_stop(hs_store *store, hs_conn *conn, hs_way *way, const hs_list *list,
                          apr_int64_t offset, apr_pool_t *pool)
{
    const void **values;
    const char *sql = hs_store_compose_place(store, &values, list, way, offset, pool);
    hs_rows *rows;
    hs_error *error = hs_conn_select(conn, &rows, sql, values, pool);

    if (!error && rows->count > 0) {
        way->stop_number = hs_rows_number(rows, 0, 0);
        way->stop_us = hs_rows_number(rows, 0, list->sort == HS_SORT_CREATED ? 1 : 2);
        way->has_stop = 1;
    }
    return error;
}

/* How many tickets of the sample there are, and how many of them pass the tests. */
static hs_error *ask_sample(hs_store *store, hs_conn *conn, apr_int64_t counts[2],
                            const hs_way *way, const hs_list *list, apr_pool_t *pool)
{
    const void **values;
    const char *sql = hs_store_compose_sample(store, &values, list, way, pool);
    hs_rows *rows;
    hs_error *error = hs_conn_select(conn, &rows, sql, values, pool);

    if (!error) {
        counts[0] = hs_rows_number(rows, 0, 0);
        counts[1] = hs_rows_number(rows, 0, 1);
    }
    return error;
}

/* Whether to walk: *fits. */
static hs_error *try_walk(hs_store *store, hs_conn *conn, int *fits, hs_way *way,
                          const hs_list *list, apr_int64_t need, apr_pool_t *pool)
{
    apr_int64_t counts[2];
    hs_error *error;

    *fits = 1;
    if (!hs_store_way_has_tests(way, list)) {
        return NULL;
    }
    error = ask_sample(store, conn, counts, way, list, pool);
    if (error || counts[0] < store->sample) {
        return error; /* these are all that there are */
    }
    *fits = counts[1] * (need ? PASSED_MAX : PASSED_MAX_ALL) >= counts[0];
    if (!*fits || need == 0) {
        return NULL;
    }
    return set_stop(store, conn, way, list, need * PATIENCE * counts[0] / counts[1], pool);
}

/* Whether all of one user's or address's tickets are few enough to be read. */
static hs_error *try_person(hs_store *store, hs_conn *conn, int *fits, const hs_list *list,
                            apr_pool_t *pool)
{
    const hs_way way = {.source = HS_SOURCE_PERSON};
    apr_int64_t count;
    hs_error *error;

    *fits = list->sort == HS_SORT_CREATED && !hs_store_way_has_tests(&way, list);
    if (*fits) {
        return NULL;
    }
    error = ask_count(store, conn, &count, list, pool);
    if (!error) {
        *fits = count <= PERSON_MAX;
    }
    return error;
}

hs_error *hs_store_choose(hs_store *store, hs_conn *conn, hs_way *way, const hs_list *list,
                          apr_int64_t need, apr_pool_t *pool)
{
    int has_person = list->user_id || list->email;
    apr_int64_t most = need < NEED_MAX ? need : NEED_MAX;
    int fits = 0;
    hs_error *error = NULL;

    if (has_person) {
        *way = (hs_way){.source = HS_SOURCE_PERSON};
        error = try_person(store, conn, &fits, list, pool);
        if (!error && !fits && list->sort == HS_SORT_CREATED) {
            error = try_walk(store, conn, &fits, way, list, most, pool);
        }
    }
    if (!error && !fits) {
        *way = (hs_way){.source = HS_SOURCE_ORDER};
        error = try_walk(store, conn, &fits, way, list, most, pool);
    }
    if (!error && !fits) {
        error = hs_store_choose_all(store, conn, way, list, pool);
    }
    return error;
}

/* Of several words only those that are rare are found, and all are tested: to find "please", too,
 * costs a database as much as if there were no other word. */
static hs_error *choose_words(hs_store *store, hs_conn *conn, hs_way *way, const hs_list *list,
                              apr_pool_t *pool)
{
    apr_array_header_t *rare = apr_array_make(pool, WORDS_MAX, sizeof(const char *));
    const hs_way walk = {.source = HS_SOURCE_ORDER};
    hs_list one = {.descending = 1, .words = apr_array_make(pool, 1, sizeof(const char *))};

    for (int i = 0; i < list->words->nelts && i < WORDS_MAX; i++) {
        const char *word = APR_ARRAY_IDX(list->words, i, const char *);
        apr_int64_t counts[2];
        hs_error *error;

        apr_array_clear(one.words);
        APR_ARRAY_PUSH(one.words, const char *) = word;
        error = ask_sample(store, conn, counts, &walk, &one, pool);
        if (error) {
            return error;
        }
        if (counts[1] * PASSED_MAX < counts[0]) {
            APR_ARRAY_PUSH(rare, const char *) = word;
        }
    }
    way->rare = rare->nelts > 0 && rare->nelts < list->words->nelts ? rare : NULL;
    return NULL;
}

/* Words are in fewer tickets than a user has who was not few enough above. */
hs_error *hs_store_choose_all(hs_store *store, hs_conn *conn, hs_way *way, const hs_list *list,
                              apr_pool_t *pool)
{
    if (!list->words) {
        *way =
            (hs_way){.source = list->user_id || list->email ? HS_SOURCE_PERSON : HS_SOURCE_RANGE};
        return NULL;
    }
    *way = (hs_way){.source = HS_SOURCE_WORDS};
    return list->words->nelts > 1 ? choose_words(store, conn, way, list, pool) : NULL;
}
