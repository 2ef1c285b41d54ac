/* hs_store_search_numbers.c - layer 8: a search by numbers: tests tickets that have the words. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_json.h"
#include "hs_sql.h"
#include "hs_store_found.h"
#include "hs_store_search_int.h"

/* Numbers that one statement tests. */
#define TEST_MAX 4096

static hs_error *test(hs_search *self, const apr_array_header_t *numbers)
{
    const apr_int64_t *all = (const apr_int64_t *)(void *)numbers->elts;

    for (int done = 0; done < numbers->nelts; done += TEST_MAX) {
        int count = numbers->nelts - done < TEST_MAX ? numbers->nelts - done : TEST_MAX;
        hs_way way = {.source = HS_SOURCE_FOUND};
        apr_array_header_t *passed;
        hs_error *error;

        self->json.length = 0;
        for (int i = 0; i < count; i++) {
            hs_json_add_number(&self->json, all[done + i]);
        }
        hs_json_end_numbers(&self->json);
        way.found = self->json.data;
        /* What comes behind the first `need` of some does so among all. */
        error = hs_search_keys(self, &passed, self->list, &way,
                               self->need && self->need < count ? self->need : count);
        if (error) {
            return error;
        }
        self->tested_count += passed->nelts;
        if (self->need) {
            apr_array_cat(self->tested, passed);
        }
    }
    return NULL;
}

static hs_error *test_waiting(hs_search *self)
{
    if (self->are_waiting_tested) {
        return NULL;
    }
    self->are_waiting_tested = 1;
    return test(self, hs_found_waiting(self->found));
}

/* All that may be in the list were tested. */
static void finish_tests(hs_search *self)
{
    hs_search_sort(self, self->tested);
    hs_search_finish(self, self->tested, self->tested_count);
}

/* Load and take numbers up to `most`. *is_last: there are no more. */
static hs_error *take(hs_search *self, apr_array_header_t *numbers, int most, int *is_last)
{
    hs_error *error = NULL;

    *is_last = 0;
    while (!error && numbers->nelts < most && !*is_last) {
        int is_whole = hs_found_is_whole(self->found);
        int asked = most - numbers->nelts;

        if (hs_found_take(self->found, numbers, asked) == asked) {
            break;
        }
        *is_last = is_whole;
        if (!is_whole) {
            error = hs_found_load_more(self->found);
        }
    }
    return error;
}

/* Tickets that were not tested have numbers beyond `last`, which was; so they were created before
 * it, or after it by no more than the disorder. Here and below for the list's other direction
 * likewise. Returns how many of those that passed come before all of them. */
static int count_settled(const hs_search *self, const hs_key *last)
{
    apr_int64_t disorder_us = hs_found_disorder_us(self->found);
    const hs_key edge = {.us = self->list->descending ? last->us + disorder_us
                                                      : last->us - disorder_us,
                         .number = last->number};
    int count = 0;

    while (count < self->tested->nelts) {
        const hs_key *key = &APR_ARRAY_IDX(self->tested, count, hs_key);
        int order = hs_search_order(self, key, &edge);

        if (order > 0 || (key->us == edge.us && disorder_us > 0)) {
            break;
        }
        count++;
    }
    return count;
}

/* When the last ticket that was tested was created. *is_there: it was not removed meanwhile. */
static hs_error *read_created(const hs_search *self, hs_key *key, int *is_there)
{
    hs_rows *rows;
    hs_error *error;

    apr_pool_clear(self->scratch);
    error = hs_conn_select(self->conn, &rows, hs_store_sql(self->store, HS_SQL_SEARCH_CREATED),
                           (const void *[]){&key->number}, self->scratch);
    *is_there = !error && rows->count > 0;
    if (*is_there) {
        key->us = hs_rows_number(rows, 0, 0);
    }
    return error;
}

/* Whether the first tickets of the list are among those that were tested. */
static hs_error *settle_tested(hs_search *self, apr_int64_t last_number)
{
    hs_key last = {.number = last_number};
    int is_there;
    hs_error *error;

    if (!self->need || self->tested->nelts < self->need) {
        return NULL;
    }
    error = read_created(self, &last, &is_there);
    if (is_there) {
        hs_search_sort(self, self->tested);
        if (count_settled(self, &last) >= self->need) {
            hs_search_finish(self, self->tested, self->tested_count);
        }
    }
    return error;
}

/* Test what waits and the next numbers, at most `most`, in pieces: a count of millions would keep
 * all of them. *last: the last of them; *is_last: there are no more. */
static hs_error *test_next(hs_search *self, int most, apr_int64_t *last, int *is_last)
{
    apr_array_header_t *numbers = apr_array_make(self->pool, HS_SEARCH_ROOM, sizeof(apr_int64_t));
    hs_error *error = test_waiting(self);

    *is_last = 0;
    while (!error && most > 0 && !*is_last) {
        numbers->nelts = 0;
        error = take(self, numbers, most < TEST_MAX ? most : TEST_MAX, is_last);
        if (!error && numbers->nelts > 0) {
            *last = APR_ARRAY_IDX(numbers, numbers->nelts - 1, apr_int64_t);
            error = test(self, numbers);
        }
        most -= numbers->nelts;
    }
    return error;
}

static hs_error *test_by_creation(hs_search *self, int most)
{
    apr_int64_t last = 0;
    int is_last;
    hs_error *error = test_next(self, most, &last, &is_last);

    if (error) {
        return error;
    }
    if (is_last) {
        finish_tests(self);
        return NULL;
    }
    return settle_tested(self, last);
}

/* In order of the last change numbers come in no order: so all of them are tested, or none. */
static hs_error *test_by_change(hs_search *self, int most)
{
    apr_int64_t last;
    int is_last;
    hs_error *error = hs_found_load_all(self->found);

    if (error || hs_found_count(self->found) > most) {
        return error;
    }
    error = test_next(self, most, &last, &is_last);
    if (!error) {
        finish_tests(self);
    }
    return error;
}

hs_error *hs_search_test(hs_search *self, int most)
{
    return self->list->sort == HS_SORT_CREATED ? test_by_creation(self, most)
                                               : test_by_change(self, most);
}
