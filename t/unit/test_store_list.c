/* test_store_list.c - lists, pages, cursors, searches and counts against a plain model of them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store_fixture.h"

#include "list_model.h"
#include "hs_store_index.h"
#include "hs_store_int.h"

#include <apr_strings.h>

#define TICKETS 400

static unsigned seed = 20250704;

static unsigned pick(unsigned below)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % below;
}

static const char *const users[] = {"user-a", "user-b", "user-c", "user-rare"};
static const char *const emails[] = {"Jane@Example.com", "joe@example.com", "ann+x@example.org"};
static const char *const messages[] = {
    "The database is slow since Tuesday",
    "Password reset does not work, caf\xc3\xa9 wifi",
    "DATA loss in table42!",
    "Nothing works: x-y_z",
    /* An emoji that SQLite takes for a letter. */
    "\xf0\x9f\xa4\x96robot\xf0\x9f\xa4\x96 \xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82, datum",
};
static const char *const words[] = {"data", "DATABASE", "table4",  "caf\xc3\xa9", "wifi",
                                    "jane", "example",  "nowhere", "x",           "da"};

/* Some segments, merged and not, and some tickets that wait. */
static void index_some(fixture *f, int always)
{
    int moved;

    if ((always || pick(15) == 0) && !fixture_worked(hs_store_index(f->store, &moved, f->pool))) {
        abort();
    }
}

/* As clocks of several nodes may leave it: some tickets come before others of lower numbers. A
 * millisecond lies between them, however long it took to write them. */
static void disorder(fixture *f)
{
    apr_int64_t from_us =
        apr_atoi64(fixture_ask(f, "SELECT min(created_us) FROM ticket")) - TICKETS * 1000;

    if (!fixture_does(f, apr_psprintf(f->pool,
                                      "UPDATE ticket SET created_us = %" APR_INT64_T_FMT
                                      " + number * 1000 + number %% 7 * 2000",
                                      from_us))) {
        abort();
    }
}

static void fill(fixture *f)
{
    f->store->waiting_min = 1;
    for (int i = 0; i < TICKETS; i++) {
        hs_submit *submit = fixture_submission(users[pick(i % 50 == 0 ? 4 : 3)], f->pool);
        int replayed;

        submit->ticket->email = emails[pick(3)];
        submit->ticket->message = messages[pick(5)];
        if (i == TICKETS / 2) {
            disorder(f);
            index_some(f, 1);
        }
        if (i > TICKETS / 2 && i < TICKETS - 10) {
            index_some(f, 0);
        }
        if (!fixture_worked(hs_store_submit(f->store, submit, &replayed, f->pool))) {
            abort();
        }
    }
    for (int i = 0; i < TICKETS; i++) {
        hs_change change = {.ref = {.number = 1 + (apr_int64_t)pick(TICKETS)},
                            .status = (hs_status)pick(4),
                            .by = "ann"};
        hs_ticket *ticket;

        if (!fixture_worked(hs_store_set_status(f->store, &ticket, &change, f->pool))) {
            abort();
        }
    }
}

static void make_list(hs_list *list, const apr_array_header_t *all, apr_pool_t *pool)
{
    memset(list, 0, sizeof(*list));
    list->limit = 1 + (int)pick(120);
    list->statuses = pick(2) ? pick(15) : 0;
    list->user_id = pick(3) ? NULL : users[pick(4)];
    list->email = pick(4) ? NULL : hs_email_fold(emails[pick(3)], pool);
    if (!pick(3)) {
        list->words = apr_array_make(pool, 2, sizeof(const char *));
        for (unsigned i = 0; i <= pick(2); i++) {
            apr_array_cat(list->words, hs_utf8_words(words[pick(10)], pool));
        }
    }
    list->has_created_after = !pick(3);
    list->created_after_us = model_at(all, (int)pick(TICKETS))->created_us;
    list->has_created_before = !pick(3);
    list->created_before_us = model_at(all, (int)pick(TICKETS))->created_us;
    list->has_updated_after = !pick(3);
    list->updated_after_us = model_at(all, (int)pick(TICKETS))->updated_us;
    list->sort = pick(2) ? HS_SORT_UPDATED : HS_SORT_CREATED;
    list->descending = (int)pick(2);
    list->count = pick(2) ? HS_COUNT_EXACT : HS_COUNT_CAPPED;
    list->count_cap = 1 + (apr_int64_t)pick(200);
}

static int read_skipped(fixture *f, hs_list *list, const apr_array_header_t *want, apr_pool_t *pool)
{
    hs_page page;

    list->has_cursor = 0;
    list->has_skip = 1;
    list->skip = pick(8) ? pick(TICKETS) : APR_INT64_MAX;
    return fixture_worked(hs_store_list(f->store, &page, list, pool)) &&
           model_same_page(&page, want, list->skip > TICKETS ? TICKETS : (int)list->skip,
                           list->limit) &&
           model_same_total(&page, list, want->nelts);
}

static apr_array_header_t *read_all(fixture *f)
{
    hs_list list = {.limit = HS_LIMIT_MAX, .descending = 1, .count = HS_COUNT_EXACT};
    hs_page page;

    if (!fixture_worked(hs_store_list(f->store, &page, &list, f->pool))) {
        abort();
    }
    tap_is_int(page.tickets->nelts, TICKETS, "the default list has all tickets");
    tap_is_int(model_at(page.tickets, 0)->number, TICKETS, "the newest first");
    tap_is_int(page.total, TICKETS, "and counts them");
    tap_ok(!page.has_more, "and has no next page");
    return page.tickets;
}

static void test_index(const fixture *f)
{
    tap_ok(atoi(fixture_ask(f, "SELECT count(*) FROM search_segment")) > 2,
           "some segments are there");
    tap_ok(atoi(fixture_ask(f, "SELECT max(disorder_us) FROM search_segment")) >= 11000,
           "of tickets that were created in another order than that of their numbers");
    tap_ok(atoi(fixture_ask(f, "SELECT count(*) FROM search_waiting")) > 5, "some tickets wait");
}

static void test_model(fixture *f)
{
    int lists = fixture_is("sqlite3") ? 3000 : 1000; /* a server takes longer */
    apr_array_header_t *all = read_all(f);
    int cursor_faults = 0;
    int skip_faults = 0;
    int found = 0;
    apr_pool_t *pool;

    apr_pool_create(&pool, f->pool);
    for (int i = 0; i < lists; i++) {
        hs_list list;
        apr_array_header_t *want;

        make_list(&list, all, pool);
        /* A small sample errs often, so that walks stop early and the rest is found otherwise. */
        f->store->sample = pick(2) ? HS_STORE_SAMPLE : 8;
        f->store->waiting_piece = pick(2) ? HS_STORE_WAITING_PIECE : 2;
        want = model_list(all, &list, pool);
        found += want->nelts > 0;
        cursor_faults += !model_follow(f, &list, want, pool);
        skip_faults += !read_skipped(f, &list, want, pool);
        apr_pool_clear(pool);
    }
    tap_ok(found > lists / 4, "%d of %d lists find something", found, lists);
    tap_is_int(cursor_faults, 0, "each list is the model's, page by page");
    tap_is_int(skip_faults, 0, "and with skip");
}

static void search(fixture *f, const char *word, int want)
{
    hs_list list = {.limit = 10, .descending = 1, .count = HS_COUNT_EXACT};
    hs_page page = {0};

    list.words = apr_array_make(f->pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(list.words, const char *) = word;
    tap_ok(fixture_worked(hs_store_list(f->store, &page, &list, f->pool)) &&
               (want ? page.total > 0 : page.total == 0),
           "a search for \"%s\" finds %s", word, want ? "something" : "nothing");
}

static void test_odd_words(fixture *f)
{
    search(f, "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2", 1); /* lower case of a Cyrillic word */
    search(f, "robot", 1);                            /* an emoji does not */
    search(f, "cafe", 0);                             /* an accent counts */
    search(f, "a\"b", 0);                             /* can't come from hs_utf8_words */
    search(f, "NEAR", 0);                             /* no operator inside quotes */
    search(f, "\xf0\x9e\xa4\x80", 0);                 /* letters that SQLite may not know */
    search(f,
           "a\xf0\x9e\xa4\x80"
           "b",
           0);
}

int main(void)
{
    apr_pool_t *pool;
    fixture f;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    fixture_open(&f, pool);
    fill(&f);
    test_index(&f);
    test_model(&f);
    test_odd_words(&f);
    f.store->waiting_min = 1;
    index_some(&f, 1);
    test_odd_words(&f);
    fixture_close(&f);
    return tap_done();
}
