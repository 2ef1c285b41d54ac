/* test_store_search.c - q: odd words, odd numbers, odd clocks; each search against a plain model.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store_fixture.h"

#include "hs_segment.h"
#include "hs_store_index.h"
#include "hs_store_int.h"
#include "list_model.h"

#define BASE_US (APR_INT64_C(1750000000) * 1000000)
#define HOUR_US (APR_INT64_C(3600) * 1000000)

static unsigned seed = 20261125;

static unsigned pick(unsigned below)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % below;
}

static void must(int worked, const char *what)
{
    if (!worked) {
        fixture_bail_out(what);
    }
}

static void index_all(const fixture *f)
{
    int moved = 1;

    while (moved) {
        must(fixture_worked(hs_store_index(f->store, &moved, f->pool)), "no move");
    }
}

static void submit(const fixture *f, const char *name, const char *message)
{
    hs_submit *one = fixture_submission("user", f->pool);
    int replayed;

    one->ticket->name = name;
    one->ticket->email = "a@b.example";
    one->ticket->message = message;
    must(fixture_worked(hs_store_submit(f->store, one, &replayed, f->pool)), "no ticket");
}

/* ---- words ---- */

/* A word of so many characters: x, and another one at its end. */
static const char *long_word(int length, const char *end, apr_pool_t *pool)
{
    char *word = apr_palloc(pool, (apr_size_t)length + 1);

    memset(word, 'x', (size_t)length);
    word[length] = '\0';
    return apr_pstrcat(pool, word, end, NULL);
}

/* So many different words, none the beginning of another. */
static const char *many_words(int count, const char *last, apr_pool_t *pool)
{
    char *text = apr_pcalloc(pool, (apr_size_t)count * 5 + 1);

    for (int i = 0; i < count; i++) {
        apr_snprintf(text + strlen(text), 6, "%04d ", i);
    }
    return apr_pstrcat(pool, text, last, NULL);
}

typedef struct search {
    const char *q;
    int want; /* how many tickets */
} search;

static void submit_odd_words(const fixture *f)
{
    submit(f, "Ann", "a an and andy anchor");
    submit(f, "Bob", "same SAME Same");
    submit(f, "Same", "same");
    submit(f, "Dan", long_word(84, "", f->pool));
    submit(f, "Eve", long_word(84, "y", f->pool));
    submit(f, "Fay", long_word(83, "y", f->pool));
    submit(f, "Gus",
           "\xd0\x9f\xd0\xa0\xd0\x98\xd0\x92\xd0\x95\xd0\xa2 "
           "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb0\xd0\xbb");
    submit(f, "Hal", "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe3\x81\xae\xe6\x96\x87");
    submit(f, "Ida", "\xf0\x9f\x98\x80smile\xf0\x9f\x98\x80 \xf0\x9f\x98\x80");
    submit(f, "Jim", "cafe\xcc\x81 re\xcc\x81sume\xcc\x81");
    submit(f, "Kim", "averylongwordwhosefirstpartismorethanafenceholds1");
    submit(f, "Leo", "averylongwordwhosefirstpartismorethanafenceholds2");
    submit(f, "Max", many_words(1990, "", f->pool));
    submit(f, "Ned", many_words(500, "", f->pool));
}

/* How many tickets each of these finds. */
static int count_faults(const fixture *f)
{
    const search searches[] = {
        {"a", 14}, /* also the address */
        {"an", 1},
        {"and andy", 1},
        {"ANDY AND AN A", 1},
        {"andz", 0},
        {"s", 3},
        {"same", 2},
        {"same same sam", 2},
        {"same bob", 1},
        {"x", 3},
        {long_word(83, "", f->pool), 3},
        {long_word(84, "", f->pool), 2},
        {long_word(84, "z", f->pool), 2}, /* words count to their 84th character */
        {long_word(83, "y", f->pool), 1},
        {"\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2", 1},
        {"\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82 "
         "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb0",
         1},
        {"\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb8", 0},
        {"\xe6\x97\xa5\xe6\x9c\xac", 1},
        {"\xe6\x9c\xac", 0}, /* in the midst of a word */
        {"smile", 1},
        {"\xf0\x9f\x98\x80 smile", 1},
        {"cafe\xcc\x81", 1},
        {"caf\xc3\xa9", 0}, /* other characters that look the same */
        {"averylongwordwhosefirstpartismore", 2},
        {"averylongwordwhosefirstpartismorethanafenceholds2", 1},
        {"averylongwordwhosefirstpartismorethanafenceholds1 "
         "averylongwordwhosefirstpartismorethanafenceholds2",
         0},
        {many_words(500, "", f->pool), 2},
        {many_words(500, "ned", f->pool), 1},
        {many_words(500, "nobody", f->pool), 0},
        {many_words(1600, "max", f->pool), 1},
        {"example", 14},
    };
    int faults = 0;

    for (size_t i = 0; i < sizeof(searches) / sizeof(*searches); i++) {
        hs_list list = {.limit = 100,
                        .descending = 1,
                        .count = HS_COUNT_EXACT,
                        .words = hs_utf8_words(searches[i].q, f->pool)};
        hs_page page = {0};

        if (!fixture_worked(hs_store_list(f->store, &page, &list, f->pool)) ||
            page.tickets->nelts != searches[i].want || page.total != searches[i].want) {
            printf("# \"%.60s\": %d instead of %d\n", searches[i].q, (int)page.total,
                   searches[i].want);
            faults++;
        }
    }
    return faults;
}

static void test_words(apr_pool_t *root)
{
    fixture f;

    fixture_open(&f, root);
    submit_odd_words(&f);
    tap_is_int(count_faults(&f), 0, "odd words are found while they wait");
    f.store->waiting_min = 1;
    index_all(&f);
    tap_is_int(count_faults(&f), 0, "and in the index");
    fixture_close(&f);
}

/* ---- odd numbers and odd clocks ---- */

/* With its tables, which SQLite's store makes when it is first used. */
static void open_with_tables(fixture *f, apr_pool_t *root)
{
    hs_list list = {.limit = 1};
    hs_page page;

    fixture_open(f, root);
    must(fixture_worked(hs_store_list(f->store, &page, &list, f->pool)), "no tables");
    f->store->waiting_min = 1;
}

/* A ticket that no program of ours wrote. */
typedef struct row {
    apr_int64_t number;
    apr_int64_t created_us;
    apr_int64_t updated_us;
    int user;
    int status;
    const char *message; /* words in lower case, a space between them */
} row;

/* Tickets that are to be inserted together. */
typedef struct batch {
    const fixture *f;
    apr_pool_t *pool;
    const char *tickets;
    const char *words;
} batch;

static void add_row(batch *self, const row *one)
{
    const char *comma = self->tickets ? ", " : "";

    if (!self->tickets) {
        self->tickets = self->words = "";
    }
    self->tickets = apr_psprintf(
        self->pool,
        "%s%s(%" APR_INT64_T_FMT ", 'id%" APR_INT64_T_FMT
        "', 'user%d', 'N', '123', 'a@b.example', 'a@b.example', %d, 1, %" APR_INT64_T_FMT
        ", %" APR_INT64_T_FMT ", '%s')",
        self->tickets, comma, one->number, one->number, one->user, one->status, one->created_us,
        one->updated_us, one->message);
    self->words = apr_psprintf(self->pool, "%s%s(%" APR_INT64_T_FMT ", ' n a b example %s')",
                               self->words, comma, one->number, one->message);
}

static void insert_rows(batch *self)
{
    must(
        !self->tickets ||
            (fixture_does(self->f, apr_pstrcat(self->pool,
                                               "INSERT INTO ticket (number, id, user_id, name,"
                                               " phone_number, email, email_key, status, version,"
                                               " created_us, updated_us, message) VALUES ",
                                               self->tickets, NULL)) &&
             fixture_does(self->f, apr_pstrcat(self->pool,
                                               "INSERT INTO search_waiting (ticket, words) VALUES ",
                                               self->words, NULL))),
        "no rows");
    self->tickets = self->words = NULL;
}

static void add(batch *self, apr_int64_t number, apr_int64_t created_us)
{
    row one = {.number = number,
               .created_us = created_us,
               .updated_us = created_us + (apr_int64_t)pick(1000) * 1000000,
               .user = (int)pick(3),
               .status = (int)pick(4)};

    one.message = apr_pstrcat(self->pool, "all", number % 2 ? " odd" : " even",
                              number % 20 == 7 ? " rare" : "", NULL);
    add_row(self, &one);
}

static void move_rows(batch *self)
{
    insert_rows(self);
    index_all(self->f);
}

static apr_array_header_t *read_all(const fixture *f)
{
    hs_list list = {.limit = HS_LIMIT_MAX};
    hs_page page;

    must(fixture_worked(hs_store_list(f->store, &page, &list, f->pool)), "no list");
    return page.tickets;
}

/* One search, in all orders, page by page. */
static int count_order_faults(fixture *f, const hs_list *plain, const apr_array_header_t *all,
                              apr_pool_t *pool)
{
    int faults = 0;

    for (int order = 0; order < 4; order++) {
        hs_list list = *plain;

        list.descending = order & 1;
        list.sort = order & 2 ? HS_SORT_UPDATED : HS_SORT_CREATED;
        faults += !model_follow(f, &list, model_list(all, &list, pool), pool);
    }
    return faults;
}

/* Searches from and to the very times of some tickets, and beside them. */
static int count_edge_faults(fixture *f, const apr_array_header_t *all)
{
    static const char *const words[] = {"all", "odd", "rare", "rare even", "ev al"};
    unsigned step = fixture_is("sqlite3") ? 8 : 24;
    apr_pool_t *pool;
    int faults = 0;

    apr_pool_create(&pool, f->pool);
    for (int i = 0; i < all->nelts; i += 1 + (int)pick(step)) {
        hs_list list = {.limit = 1 + (int)pick(40), .count = HS_COUNT_EXACT};

        f->store->sample = pick(2) ? HS_STORE_SAMPLE : 8;
        list.words = hs_utf8_words(words[pick(5)], pool);
        list.has_created_after = (int)pick(2);
        list.has_created_before = (int)pick(2);
        list.created_after_us = model_at(all, i)->created_us + (apr_int64_t)pick(3) - 1;
        list.created_before_us =
            model_at(all, (int)pick((unsigned)all->nelts))->created_us + (apr_int64_t)pick(3) - 1;
        faults += count_order_faults(f, &list, all, pool);
        apr_pool_clear(pool);
    }
    return faults;
}

static void check_edges(fixture *f, const char *what)
{
    int faults = count_edge_faults(f, read_all(f));

    tap_ok(faults == 0, "%s", what);
}

/* Clocks of several nodes: 7 ms apart; and one that was set back by an hour for a while. */
static apr_int64_t time_of(apr_int64_t number)
{
    apr_int64_t us = BASE_US + number * 10000 + number % 3 * 7000;

    return number > 120 && number < 150 ? us - HOUR_US : us;
}

static void test_disorder(apr_pool_t *root)
{
    fixture f;
    batch rows = {.f = &f};

    open_with_tables(&f, root);
    rows.pool = f.pool;
    for (apr_int64_t number = 1; number <= 200; number++) {
        if (number % 40 != 30) {
            add(&rows, number, time_of(number));
        }
        if (number % 23 == 0) {
            move_rows(&rows);
        }
    }
    insert_rows(&rows);
    check_edges(&f, "where clocks differ all is found");
    index_all(&f);
    check_edges(&f, "also when nothing waits");
    add(&rows, 30, time_of(30));
    add(&rows, 70, time_of(70) + HOUR_US);
    add(&rows, 110, time_of(110) - 2 * HOUR_US);
    insert_rows(&rows);
    check_edges(&f, "tickets that come late are found while they wait");
    index_all(&f);
    check_edges(&f, "and in the index");
    fixture_close(&f);
}

/* One ticket of an otherwise orderly desk comes when those after it are in the index. */
static void test_straggler(apr_pool_t *root)
{
    fixture f;
    batch rows = {.f = &f};

    open_with_tables(&f, root);
    rows.pool = f.pool;
    for (apr_int64_t number = 1; number <= 160; number++) {
        if (number != 87) {
            add(&rows, number, BASE_US + number * 1000);
        }
    }
    move_rows(&rows);
    tap_is_str(fixture_ask(&f, "SELECT max(disorder_us) FROM search_segment"), "0", "all in order");
    add(&rows, 87, BASE_US + 150500);
    move_rows(&rows);
    tap_ok(atoi(fixture_ask(&f, "SELECT max(disorder_us) FROM search_segment")) >= 62500,
           "then one comes late");
    check_edges(&f, "and all are found");
    fixture_close(&f);
}

/* A ticket of a clock that is ahead is merged into a segment; then come some of one that is behind.
 */
static void test_ahead_and_behind(apr_pool_t *root)
{
    fixture f;
    batch rows = {.f = &f};

    open_with_tables(&f, root);
    rows.pool = f.pool;
    for (apr_int64_t number = 1; number <= 60; number++) {
        apr_int64_t clock_us = number == 20 ? HOUR_US : number > 40 ? -2 * HOUR_US : 0;

        add(&rows, number, BASE_US + number * 1000 + clock_us);
        if (number % 20 == 0) {
            move_rows(&rows);
        }
    }
    tap_is_str(fixture_ask(&f, "SELECT count(*) FROM search_segment"), "2", "two were merged");
    check_edges(&f, "both clocks count");
    fixture_close(&f);
}

/* Two segments whose numbers lie among each other. */
static void test_interleaved(apr_pool_t *root)
{
    fixture f;
    batch rows = {.f = &f};

    open_with_tables(&f, root);
    rows.pool = f.pool;
    for (apr_int64_t first = 1; first <= 2; first++) {
        for (apr_int64_t number = first; number <= 120; number += 2) {
            add(&rows, number, BASE_US + number * 1000);
        }
        move_rows(&rows);
        must(fixture_does(&f, "UPDATE search_segment SET tickets = 50000"), "no size");
    }
    check_edges(&f, "where segments overlap all is found");
    fixture_close(&f);
}

static void test_gaps(apr_pool_t *root)
{
    fixture f;
    batch rows = {.f = &f};
    apr_int64_t number = 1;

    open_with_tables(&f, root);
    rows.pool = f.pool;
    for (int i = 0; i < 12; i++) {
        for (int n = 0; n < 12; n++) {
            add(&rows, number, BASE_US + number * 1000);
            number++;
        }
        number += i % 4 == 0   ? 5000000
                  : i % 4 == 1 ? HS_SEGMENT_SPAN_MAX - 12
                  : i % 4 == 2 ? HS_SEGMENT_SPAN_MAX - 13
                               : 1;
        if (i % 3 == 1) {
            move_rows(&rows);
        }
    }
    insert_rows(&rows);
    check_edges(&f, "where numbers have gaps all is found");
    index_all(&f);
    check_edges(&f, "also when nothing waits");
    tap_is_str(fixture_ask(&f, apr_psprintf(f.pool,
                                            "SELECT count(*) FROM search_segment "
                                            "WHERE to_number - from_number >= %d",
                                            HS_SEGMENT_SPAN_MAX)),
               "0", "no segment spans more than it may");
    tap_is_str(fixture_ask(&f, "SELECT sum(tickets) FROM search_segment"), "144",
               "all are in the index");
    add(&rows, 20, BASE_US);
    move_rows(&rows);
    check_edges(&f, "one far behind the others, too");
    fixture_close(&f);
}

/* ---- many ---- */

#define TICKETS 3200
#define ROWS 64

static const char *const vocabulary[] = {
    "please", "data",        "database", "dat",
    "table4", "caf\xc3\xa9", "wifi",     "\xd0\xbf\xd1\x80\xd0\xb8",
    "slow",   "reset",       "reseller", "x",
    "xy",     "xyz",         "lost",     "unique",
};

/* Frequent words stand first. */
static const char *make_message(apr_pool_t *pool)
{
    const char *message = vocabulary[0];

    for (unsigned i = pick(6); i > 0; i--) {
        unsigned rank = pick(16) * pick(16) / 16;

        message = apr_pstrcat(pool, message, " ", vocabulary[rank], NULL);
    }
    return pick(300) ? message : apr_pstrcat(pool, message, " ", vocabulary[15], NULL);
}

static void add_many(batch *self, int first)
{
    for (int number = first; number < first + ROWS; number++) {
        row one = {.number = number,
                   .created_us = BASE_US + ((apr_int64_t)number + pick(9)) * 1000,
                   .user = (int)(pick(4) * pick(4)),
                   .status = pick(20) ? 3 : (int)pick(3),
                   .message = make_message(self->pool)};

        one.updated_us = one.created_us + (apr_int64_t)pick(3000) * 1000;
        add_row(self, &one);
    }
    insert_rows(self);
}

/* Segments that no later move merges, for their size is said to be greater. */
static void fill(const fixture *f)
{
    batch rows = {.f = f};

    apr_pool_create(&rows.pool, f->pool);
    for (int number = 1; number <= TICKETS; number += ROWS) {
        add_many(&rows, number);
        apr_pool_clear(rows.pool);
        if (number < TICKETS - 2 * ROWS) {
            index_all(f);
        }
        if (number / ROWS % 3 == 0) {
            must(fixture_does(f, "UPDATE search_segment SET tickets = 50000 - id % 10"), "no size");
        }
    }
}

static void make_list(hs_list *list, const apr_array_header_t *all, apr_pool_t *pool)
{
    memset(list, 0, sizeof(*list));
    list->limit = 20 + (int)pick(300);
    list->statuses = pick(2) ? pick(15) : 0;
    list->user_id = pick(3) ? NULL : apr_psprintf(pool, "user%d", (int)pick(10));
    list->words = hs_utf8_words(vocabulary[pick(16)], pool);
    for (unsigned i = pick(3); i > 0; i--) {
        apr_array_cat(list->words, hs_utf8_words(vocabulary[pick(16)], pool));
    }
    list->has_created_after = !pick(4);
    list->created_after_us = model_at(all, (int)pick((unsigned)all->nelts))->created_us;
    list->has_created_before = !pick(4);
    list->created_before_us = model_at(all, (int)pick((unsigned)all->nelts))->created_us;
    list->sort = pick(3) ? HS_SORT_CREATED : HS_SORT_UPDATED;
    list->descending = (int)pick(2);
    list->count = pick(2) ? HS_COUNT_EXACT : HS_COUNT_CAPPED;
    list->count_cap = 1 + (apr_int64_t)pick(400);
}

/* Four lists, since one has no more than a thousand. */
static apr_array_header_t *read_many(const fixture *f)
{
    apr_array_header_t *all = apr_array_make(f->pool, TICKETS, sizeof(const hs_ticket *));
    hs_list list = {.limit = HS_LIMIT_MAX, .has_skip = 1};

    for (int i = 0; i < 4; i++) {
        hs_page page;

        list.skip = all->nelts;
        must(fixture_worked(hs_store_list(f->store, &page, &list, f->pool)), "no list");
        apr_array_cat(all, page.tickets);
    }
    return all;
}

static void test_many(apr_pool_t *root)
{
    int lists = fixture_is("sqlite3") ? 250 : 60; /* a server takes longer */
    int faults = 0;
    apr_array_header_t *all;
    apr_pool_t *pool;
    fixture f;

    open_with_tables(&f, root);
    apr_pool_create(&pool, f.pool);
    fill(&f);
    all = read_many(&f);
    tap_is_int(all->nelts, TICKETS, "all tickets are there");
    tap_ok(atoi(fixture_ask(&f, "SELECT count(*) FROM search_segment")) > 12, "in many segments");
    for (int i = 0; i < lists; i++) {
        hs_list list;

        make_list(&list, all, pool);
        f.store->sample = pick(2) ? HS_STORE_SAMPLE : 8;
        faults += !model_follow(&f, &list, model_list(all, &list, pool), pool);
        apr_pool_clear(pool);
    }
    tap_is_int(faults, 0, "each search is the model's, page by page");
    fixture_close(&f);
}

/* Whether a text of so many numbers is taken, and the last of them. */
static int unpacks(const char *text, apr_int64_t count, apr_int64_t last, apr_pool_t *pool)
{
    apr_array_header_t *numbers = apr_array_make(pool, 1, sizeof(apr_int64_t));

    APR_ARRAY_PUSH(numbers, apr_int64_t) = 7;
    return !hs_store_unpack_numbers(numbers, text, count, pool) &&
           APR_ARRAY_IDX(numbers, numbers->nelts - 1, apr_int64_t) == last;
}

static void test_unpack(apr_pool_t *pool)
{
    tap_ok(unpacks(NULL, 0, 7, pool), "no numbers");
    tap_ok(unpacks("1,-20", 2, -20, pool), "two numbers behind another");
    tap_ok(unpacks("1 5,2 6", 4, 6, pool), "two pairs");
    tap_ok(!unpacks("1,20", 3, 20, pool), "one was cut off");
    tap_ok(!unpacks("1,", 2, 1, pool), "and where the text ends with its comma");
    tap_ok(!unpacks(NULL, 1, 7, pool), "and where there is none");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_unpack(pool);
    test_words(pool);
    test_disorder(pool);
    test_straggler(pool);
    test_ahead_and_behind(pool);
    test_interleaved(pool);
    test_gaps(pool);
    test_many(pool);
    apr_pool_destroy(pool);
    return tap_done();
}
