/* hs_store_search.c - layer 8: which tickets a list with words has, in its order. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_query.h"
#include "hs_store_found.h"
#include "hs_store_search_int.h"

/* The index of words knows numbers, the indexes of the tickets know the list's order and its other
 * filters. So there are two ways to read such a list: take the numbers that have the words and test
 * the tickets; or walk the list as if it had no words, and keep what has them. The first is good
 * where few tickets have the words, the second where most do, and what is bad can be a thousand
 * times as slow. Nobody knows beforehand which. So both are tried in turns, each time with more
 * tickets, until one comes to its end: that costs no more than a few times the better one. */

/* Where the order of creation is not quite that of numbers, some more than the page are tested. */
#define SPARE 32

/* In the first turn a sample of the store is walked, and as many are tested as that costs; each
 * turn has that many times more. */
#define TEST_SHARE 16
#define TURN_FACTOR 4

/* Keys that one statement reads. */
#define WALK_MAX 16384

#define TURN_MAX 100000000

void hs_search_finish(hs_search *self, apr_array_header_t *keys, apr_int64_t count)
{
    if (self->need && keys->nelts > self->need) {
        keys->nelts = (int)self->need;
    }
    self->keys = keys;
    self->count = self->need && count > self->need ? self->need : count;
}

/* ---- walking the list ---- */

static hs_error *choose_way(hs_search *self, int most)
{
    if (self->has_way) {
        return NULL;
    }
    self->has_way = 1;
    return hs_store_choose(self->store, self->conn, &self->way, &self->walk_list, most, self->pool);
}

/* Of the tickets that were walked keep those that have the words. */
static hs_error *keep_found(hs_search *self, const apr_array_header_t *keys)
{
    hs_error *error = NULL;

    for (int i = 0; !error && i < keys->nelts; i++) {
        const hs_key *key = &APR_ARRAY_IDX(keys, i, hs_key);

        error = self->list->sort == HS_SORT_CREATED ? hs_found_load_to(self->found, key->number)
                                                    : hs_found_load_all(self->found);
        if (!error && hs_found_has(self->found, key->number)) {
            self->walked_count++;
            if (self->need) {
                APR_ARRAY_PUSH(self->walked, hs_key) = *key;
            }
        }
    }
    if (keys->nelts > 0) {
        const hs_key *last = &APR_ARRAY_IDX(keys, keys->nelts - 1, hs_key);

        self->walk_list.has_cursor = 1;
        self->walk_list.cursor_us = last->us;
        self->walk_list.cursor_number = last->number;
    }
    return error;
}

/* A walk came to its end. At a stop, which was set for what was wanted then, it is chosen anew how
 * to go on; where nothing came before the stop, that would choose the same again. */
static void end_walk(hs_search *self, int got)
{
    if (self->way.has_stop && got > 0) {
        self->has_way = 0;
    } else if (self->way.has_stop) {
        self->way = hs_store_way_to_all(&self->walk_list);
    } else {
        hs_search_finish(self, self->walked, self->walked_count);
    }
}

static hs_error *walk_some(hs_search *self, apr_int64_t limit)
{
    apr_array_header_t *keys;
    hs_error *error = hs_search_keys(self, &keys, &self->walk_list, &self->way, limit);

    if (!error) {
        error = keep_found(self, keys);
    }
    if (error) {
        return error;
    }
    if (self->need && self->walked_count >= self->need) {
        hs_search_finish(self, self->walked, self->walked_count);
    } else if (keys->nelts < limit) {
        end_walk(self, keys->nelts);
    }
    return NULL;
}

/* What must be sorted costs the same whatever is taken of it. */
static apr_int64_t chunk_of(const hs_search *self, int most)
{
    return most < WALK_MAX && hs_store_way_is_in_order(&self->way, &self->walk_list) ? most
                                                                                     : WALK_MAX;
}

static hs_error *take_walk_turn(hs_search *self, int most)
{
    hs_error *error = NULL;

    for (int done = 0; !error && !self->keys && done < most; done += WALK_MAX) {
        error = choose_way(self, most);
        if (!error) {
            error = walk_some(self, chunk_of(self, most));
        }
    }
    return error;
}

/* ---- both ---- */

/* The times of creation that the list, and its cursor, allow. */
static hs_found_query query_of(const hs_list *list)
{
    int by_cursor = list->has_cursor && list->sort == HS_SORT_CREATED;
    hs_found_query query = {
        .words = list->words,
        .descending = list->descending,
        .has_range = by_cursor || list->has_created_after || list->has_created_before,
        .from_us = list->has_created_after ? list->created_after_us : 0,
        .to_us = list->has_created_before ? list->created_before_us : APR_INT64_MAX};

    if (by_cursor && list->descending && list->cursor_us < query.to_us) {
        query.to_us = list->cursor_us;
    } else if (by_cursor && !list->descending && list->cursor_us > query.from_us) {
        query.from_us = list->cursor_us;
    }
    return query;
}

static hs_error *open_search(hs_search *self, hs_found_query *query)
{
    *query = query_of(self->list);
    self->walk_list = *self->list;
    self->walk_list.words = NULL;
    hs_buffer_init(&self->json, 4096, self->pool);
    self->tested = apr_array_make(self->pool, HS_SEARCH_ROOM, sizeof(hs_key));
    self->walked = apr_array_make(self->pool, HS_SEARCH_ROOM, sizeof(hs_key));
    apr_pool_create(&self->scratch, self->pool);
    return hs_found_open(&self->found, self->store, self->conn, query, self->pool);
}

/* A page that needs no tests is had in the first turn. */
static int first_tests(const hs_search *self)
{
    return (int)(self->need <= HS_LIMIT_MAX + 1 ? self->need : 0) + SPARE;
}

static hs_error *run(hs_search *self)
{
    int tests = first_tests(self);
    int walk = self->store->sample;
    hs_found_query query;
    hs_error *error = open_search(self, &query);

    while (!error && !self->keys) {
        error = hs_search_test(self, tests);
        if (!error && !self->keys) {
            error = take_walk_turn(self, walk);
        }
        walk = walk < TURN_MAX ? walk * TURN_FACTOR : walk;
        tests = walk / TEST_SHARE + 1;
    }
    return error;
}

hs_error *hs_store_search(hs_store *store, hs_conn *conn, apr_array_header_t **keys,
                          const hs_list *list, apr_int64_t need, apr_pool_t *pool)
{
    hs_search self = {.store = store, .conn = conn, .list = list, .need = need, .pool = pool};
    hs_error *error = run(&self);

    *keys = self.keys;
    return error;
}

/* A ticket that was deleted by hand is counted, too: the index knows nothing of it. */
static hs_error *count_words(hs_search *self, apr_int64_t *count)
{
    hs_found_query query;
    hs_error *error = open_search(self, &query);

    while (!error) {
        *count = hs_found_count(self->found);
        if (hs_found_is_whole(self->found) || (self->need && *count >= self->need)) {
            break;
        }
        error = hs_found_load_more(self->found);
    }
    if (self->need && *count > self->need) {
        *count = self->need;
    }
    return error;
}

hs_error *hs_store_search_count(hs_store *store, hs_conn *conn, apr_int64_t *count,
                                const hs_list *list, apr_int64_t need, apr_pool_t *pool)
{
    hs_search self = {.store = store, .conn = conn, .list = list, .need = need, .pool = pool};
    hs_error *error;

    *count = 0;
    if (!hs_store_list_has_filters(list)) {
        return count_words(&self, count);
    }
    error = run(&self);
    *count = self.count;
    return error;
}
