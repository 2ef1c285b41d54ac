/* test_query.c - the parameters of the list and of a status change, cursors, Link. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_query.h"

#include "hs_uri.h"

#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

#define US_PER_S APR_INT64_C(1000000)

/* 2025-07-04T12:00:00Z */
#define NOON (APR_INT64_C(1751630400) * US_PER_S)

static apr_pool_t *pool;

/* Read `query`; returns the names of the parameters at fault, blank-separated, or "malformed". */
static const char *read_list(hs_list *list, const char *query)
{
    hs_problem *problem = hs_problem_make(422, NULL, pool);
    hs_error *error = hs_query_list(list, problem, query, pool);
    const char *names = "";

    if (error) {
        return error->code == HS_MALFORMED ? "malformed" : "another error";
    }
    for (int i = 0; i < problem->faults->nelts; i++) {
        hs_fault fault = APR_ARRAY_IDX(problem->faults, i, hs_fault);

        names = apr_pstrcat(pool, names, *names ? " " : "",
                            fault.parameter ? fault.parameter : "(no parameter)",
                            fault.detail && *fault.detail ? "" : " (no detail)", NULL);
    }
    return names;
}

static void is_good(hs_list *list, const char *query)
{
    tap_is_str(read_list(list, query), "", apr_pstrcat(pool, "accepted: ", query, NULL));
}

static void is_bad(const char *query, const char *names)
{
    hs_list list;

    tap_is_str(read_list(&list, query), names, apr_pstrcat(pool, "422: ", query, NULL));
}

static void check_defaults(const char *query)
{
    hs_list list;

    memset(&list, 0xFF, sizeof(list));
    tap_is_str(read_list(&list, query), "", query ? query : "no query");
    tap_ok(!list.has_skip && list.skip == 0 && list.limit == 100 && list.statuses == 0,
           "… first 100 of any status");
    tap_ok(!list.user_id && !list.email && !list.words, "… of anyone, any words");
    tap_ok(!list.has_created_after && !list.has_created_before && !list.has_updated_after,
           "… at any time");
    tap_ok(list.sort == HS_SORT_CREATED && list.descending && !list.has_cursor, "… newest first");
    tap_ok(list.count == HS_COUNT_NONE, "… not counted");
}

static void test_defaults(void)
{
    check_defaults(NULL);
    check_defaults("");
    check_defaults("&&");
    check_defaults("skip=&limit=&status=&user_id=&email=&q=&created_after=&created_before="
                   "&updated_after=&sort=&after=&count=");
    check_defaults("limit=&limit=&skip&after");
    check_defaults("unknown=1&Limit=5&limit%20=7&unknown=2&fields[]=x");
    check_defaults("count=false&sort=-created_at");
}

static void check_number(const char *query, apr_int64_t skip, int limit)
{
    hs_list list;

    is_good(&list, query);
    tap_is_int(list.skip, skip, "… skip");
    tap_is_int(list.limit, limit, "… limit");
}

static void test_numbers(void)
{
    static const char *const bad[] = {"-1",
                                      "+1",
                                      "1.5",
                                      "abc",
                                      "1e3",
                                      " 1",
                                      "1%20",
                                      "0x1",
                                      "1,2",
                                      "true",
                                      "%D9%A1",
                                      "9223372036854775808",
                                      "99999999999999999999999999"};

    check_number("limit=1&skip=0", 0, 1);
    check_number("limit=1000&skip=007", 7, 1000);
    check_number("limit=007&skip=9223372036854775807", APR_INT64_MAX, 7);
    check_number("limit=&limit=5", 0, 5);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        is_bad(apr_pstrcat(pool, "limit=", bad[i], NULL), "limit");
        is_bad(apr_pstrcat(pool, "skip=", bad[i], NULL), "skip");
    }
    is_bad("limit=0", "limit");
    is_bad("limit=1001", "limit");
    is_bad("limit=4294967297", "limit");
    is_bad("limit=5&limit=5", "limit");
    is_bad("skip=1&skip=2", "skip");
    is_bad("skip=x&skip=y&limit=0&sort=id&count=-1&q=!", "skip limit q sort count");
}

static void check_status(const char *query, unsigned statuses)
{
    hs_list list;

    is_good(&list, query);
    tap_is_int(list.statuses, statuses, "… statuses");
}

static void test_statuses(void)
{
    check_status("status=open", 1u << HS_STATUS_OPEN);
    check_status("status=open,closed", 1u << HS_STATUS_OPEN | 1u << HS_STATUS_CLOSED);
    check_status("status=open&status=closed", 1u << HS_STATUS_OPEN | 1u << HS_STATUS_CLOSED);
    check_status("status=pending%2Cresolved&status=pending",
                 1u << HS_STATUS_PENDING | 1u << HS_STATUS_RESOLVED);
    check_status("status=open,pending&status=&status=resolved,closed", 0);
    is_bad("status=new", "status");
    is_bad("status=Open", "status");
    is_bad("status=open,", "status");
    is_bad("status=,", "status");
    is_bad("status=open,,closed", "status");
    is_bad("status=open,+closed", "status");
    is_bad("status=open&status=x&status=y", "status");
}

static void test_people(void)
{
    hs_list list;

    is_good(&list, "user_id=auth0%7C64af&email=Jane@Example.COM");
    tap_is_str(list.user_id, "auth0|64af", "… user_id");
    tap_is_str(list.email, "jane@example.com", "… email ignores case");
    is_good(&list, "user_id=a+b&email=jane+tag@example.com");
    tap_is_str(list.user_id, "a+b", "… a plus in a user_id");
    tap_is_str(list.email, "jane+tag@example.com", "… a plus in an email");
    is_good(&list, "user_id=a%20b&email=jane%2Btag@example.com");
    tap_is_str(list.user_id, "a+b", "… an encoded space in a user_id");
    tap_is_str(list.email, "jane+tag@example.com", "… an encoded plus in an email");
    is_good(&list, "email=a@B%C3%9Ccher.example");
    tap_is_str(list.email, "a@xn--bcher-kva.example", "… an IDN");
    is_good(&list, "email=a@XN--bcher-KVA.example");
    tap_is_str(list.email, "a@xn--bcher-kva.example", "… an IDN in A-labels");
    is_bad("email=jane", "email");
    is_bad("email=a@example.com,b@example.com", "email");
    is_bad("email=a@example.com&email=a@example.com", "email");
    is_bad("user_id=a%09b", "user_id");
    is_bad("user_id=a%2Fb", "user_id");
    is_bad("user_id=a&user_id=b", "user_id");
}

static void test_words(void)
{
    hs_list list;

    is_good(&list, "q=can't+log%20in");
    tap_is_int(list.words ? list.words->nelts : 0, 4, "… four words");
    tap_is_str(list.words ? APR_ARRAY_IDX(list.words, 3, const char *) : NULL, "in", "… the last");
    is_bad("q=+", "q");
    is_bad("q=%3F!", "q");
    is_bad("q=a&q=b", "q");
}

static void test_times(void)
{
    hs_list list;

    is_good(&list, "created_after=2025-07-04T12:00:00Z&created_before=2025-07-04T14:00:00.5+02:00"
                   "&updated_after=2025-07-04T14:00:00%2B02:00");
    tap_ok(list.has_created_after && list.has_created_before && list.has_updated_after, "… set");
    tap_is_int(list.created_after_us, NOON, "… created_after");
    tap_is_int(list.created_before_us, NOON + US_PER_S / 2, "… created_before, + not encoded");
    tap_is_int(list.updated_after_us, NOON, "… updated_after, + encoded");
    is_bad("created_after=2025-07-04", "created_after");
    is_bad("created_before=2025-02-29T00:00:00Z", "created_before");
    is_bad("updated_after=now", "updated_after");
    is_bad("updated_after=2025-07-04+12:00:00Z", "updated_after");
    is_bad("created_after=2025-07-04T12:00:00Z&created_after=2025-07-04T12:00:00Z",
           "created_after");
}

static void check_sort(const char *query, hs_sort sort, int descending)
{
    hs_list list;

    is_good(&list, query);
    tap_ok(list.sort == sort && !list.descending == !descending, "… in this order");
}

static void test_sort(void)
{
    check_sort("sort=created_at", HS_SORT_CREATED, 0);
    check_sort("sort=-created_at", HS_SORT_CREATED, 1);
    check_sort("sort=updated_at", HS_SORT_UPDATED, 0);
    check_sort("sort=-updated_at", HS_SORT_UPDATED, 1);
    is_bad("sort=id", "sort");
    is_bad("sort=-", "sort");
    is_bad("sort=--created_at", "sort");
    is_bad("sort=+created_at", "sort");
    is_bad("sort=created_at,updated_at", "sort");
    is_bad("sort=created_at&sort=created_at", "sort");
}

static void test_count(void)
{
    hs_list list;

    is_good(&list, "count=true");
    tap_is_int((int)list.count, HS_COUNT_EXACT, "… exact");
    is_good(&list, "count=1");
    tap_ok(list.count == HS_COUNT_CAPPED && list.count_cap == 1, "… capped");
    is_good(&list, "count=1000000");
    tap_ok(list.count == HS_COUNT_CAPPED && list.count_cap == 1000000, "… capped");
    is_bad("count=0", "count");
    is_bad("count=1000001", "count");
    is_bad("count=True", "count");
    is_bad("count=yes", "count");
    is_bad("count=true&count=true", "count");
}

static void test_malformed(void)
{
    static const char *const queries[] = {"limit=%", "limit=%4",    "%zz=1",  "unknown=%00",
                                          "q=%FF",   "q=%ED%A0%80", "q=\xFF", "a=1&b=%g1"};
    hs_list list;
    hs_status status;
    hs_problem *problem = hs_problem_make(422, NULL, pool);

    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        hs_error *error = hs_query_status(&status, problem, queries[i], pool);

        tap_is_str(read_list(&list, queries[i]), "malformed", queries[i]);
        tap_is_int(error ? (int)error->code : 0, HS_MALFORMED, "… for a status change too");
    }
}

static void check_change(const char *query, int want)
{
    hs_problem *problem = hs_problem_make(422, NULL, pool);
    hs_status status = HS_STATUS_OPEN;
    hs_error *error = hs_query_status(&status, problem, query, pool);
    int faults = problem->faults->nelts;

    tap_ok(!error, "status change: %s", query ? query : "(no query)");
    tap_is_int(faults ? -1 : (int)status, want, "… the status, or -1 for 422");
    if (faults) {
        tap_is_str(APR_ARRAY_IDX(problem->faults, 0, hs_fault).parameter, "status", "… named");
        tap_is_int(faults, 1, "… once");
    }
}

static void test_change(void)
{
    check_change("status=resolved", HS_STATUS_RESOLVED);
    check_change("a=1&status=clo%73ed&limit=x", HS_STATUS_CLOSED);
    check_change("status=pending", HS_STATUS_PENDING);
    check_change(NULL, -1);
    check_change("", -1);
    check_change("Status=open", -1);
    check_change("status", -1);
    check_change("status=", -1);
    check_change("status=RESOLVED", -1);
    check_change("status=open,closed", -1);
    check_change("status=resolved&status=resolved", -1);
    check_change("status=&status=resolved", -1);
}

static hs_ticket last_ticket(void)
{
    hs_ticket ticket = {.number = 42, .created_us = NOON, .updated_us = NOON + 7};

    return ticket;
}

/* The target's query of the link `rel` for the page that `query` asks for. */
static const char *link_query(const char *query, const char *rel)
{
    hs_ticket last = last_ticket();
    hs_list list;
    const char *links;
    const char *at;

    is_good(&list, query);
    links = hs_query_links(&list, "/help-support", &last, pool);
    at = links ? strstr(links, apr_pstrcat(pool, ">; rel=\"", rel, "\"", NULL)) : NULL;
    if (!at) {
        return NULL;
    }
    links = apr_pstrmemdup(pool, links, (apr_size_t)(at - links));
    at = strrchr(links, '<');
    return strncmp(at, "</help-support?", 15) == 0 ? at + 15 : "another target";
}

static void check_cursor(const char *sort, apr_time_t us)
{
    static const char *const sorts[] = {"created_at", "-created_at", "updated_at", "-updated_at"};
    const char *next = link_query(apr_pstrcat(pool, "limit=2&sort=", sort, NULL), "next");
    const char *cursor = next ? strstr(next, "&after=") : NULL;
    hs_list list;

    tap_ok(cursor != NULL, "next of %s carries a cursor: %s", sort, next ? next : "(none)");
    if (!cursor) {
        return;
    }
    is_good(&list, next);
    tap_ok(list.has_cursor && list.cursor_us == us && list.cursor_number == 42 && list.limit == 2,
           "… that points behind the last ticket");
    for (size_t i = 0; i < 4; i++) {
        const char *query = apr_pstrcat(pool, "sort=", sorts[i], cursor, NULL);

        tap_is_str(read_list(&list, query), strcmp(sort, sorts[i]) == 0 ? "" : "after",
                   apr_pstrcat(pool, "… read with ", sorts[i], NULL));
    }
    is_bad(apr_pstrcat(pool, next, "&skip=0", NULL), "after");
    is_bad(apr_pstrcat(pool, next, cursor, NULL), "after");
    is_bad(apr_pstrcat(pool, next, "A", NULL), "after");
    is_bad(apr_pstrcat(pool, next, "=", NULL), "after");
}

static void test_cursors(void)
{
    static const char *const garbage[] = {
        "x",
        "-",
        "%20",
        "42",
        "....",
        "AAAA",
        "QTox",                            /* A:1 */
        "QTo6",                            /* A:: */
        "QToxOg",                          /* A:1: */
        "QTowMTox",                        /* A:01:1 */
        "QTotMTox",                        /* A:-1:1 */
        "QToxOjEgIA",                      /* A:1:1 and spaces */
        "QTo5MjIzMzcyMDM2ODU0Nzc1ODA4OjE", /* A:2^63:1 */
    };

    check_cursor("created_at", NOON);
    check_cursor("-created_at", NOON);
    check_cursor("updated_at", NOON + 7);
    check_cursor("-updated_at", NOON + 7);
    for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
        is_bad(apr_pstrcat(pool, "after=", garbage[i], NULL), "after");
    }
    is_bad("after=x&skip=x", "skip after");
    is_bad("sort=id&after=x", "sort after");
}

static const char *links_of(const char *query, const char *path, int has_more)
{
    hs_ticket last = last_ticket();
    hs_list list;

    is_good(&list, query);
    return hs_query_links(&list, path, has_more ? &last : NULL, pool);
}

static void test_links(void)
{
    const char *links;

    tap_is_str(links_of("limit=5", "/help-support", 0), NULL, "no link on the only page");
    tap_is_str(links_of("skip=0", "/help-support", 0), NULL, "no link on the only page of skip=0");
    tap_is_str(links_of("skip=0&limit=5", "/help-support", 1),
               "</help-support?limit=5&skip=5>; rel=\"next\"", "skip=0 goes on with skip");
    tap_is_str(links_of("skip=150", "/help-support", 1),
               "</help-support?skip=250>; rel=\"next\", </help-support?skip=50>; rel=\"prev\", "
               "</help-support?skip=0>; rel=\"first\"",
               "next, prev and first");
    tap_is_str(links_of("skip=3&limit=5", "/help-support", 0),
               "</help-support?limit=5&skip=0>; rel=\"prev\", "
               "</help-support?limit=5&skip=0>; rel=\"first\"",
               "prev does not go below 0");
    tap_is_str(links_of("skip=9223372036854775807&limit=1", "/help-support", 1),
               "</help-support?limit=1&skip=9223372036854775806>; rel=\"prev\", "
               "</help-support?limit=1&skip=0>; rel=\"first\"",
               "no next beyond the largest skip");
    links = links_of("skip=9223372036854775806&limit=1", "/help-support", 1);
    tap_ok(links && strstr(links, "skip=9223372036854775807>; rel=\"next\""), "next at the edge");
    tap_is_str(links_of("skip=0", "//evil.example/a b>c\xC3\xA9", 1),
               "</evil.example/a%20b%3Ec%C3%A9?skip=100>; rel=\"next\"",
               "the path is encoded and never names a host");
    tap_is_str(links_of("skip=0", "/", 1), "</?skip=100>; rel=\"next\"", "the base may be /");
}

static void test_links_keep(void)
{
    const char *next = link_query("q=a%26b+%3E%22c&email=j+x@Example.com&status=open&status=closed,"
                                  "pending&user_id=%C3%A9&created_after=2025-07-04T14:00:00+02:00"
                                  "&created_before=2026-07-04T14:00:00Z&count=true&sort=updated_at"
                                  "&updated_after=2025-07-04T12:00:00Z&limit=7&unknown=1&debug",
                                  "next");
    hs_list list;

    is_good(&list, next);
    tap_is_int(list.words ? list.words->nelts : 0, 3, "… keeps q");
    tap_is_str(list.email, "j+x@example.com", "… email");
    tap_is_str(list.user_id, "\xC3\xA9", "… user_id");
    tap_is_int(list.statuses,
               1u << HS_STATUS_OPEN | 1u << HS_STATUS_CLOSED | 1u << HS_STATUS_PENDING,
               "… statuses");
    tap_ok(list.has_created_after && list.created_after_us == NOON && list.has_created_before &&
               list.has_updated_after && list.updated_after_us == NOON,
           "… times");
    tap_ok(list.limit == 7 && list.count == HS_COUNT_EXACT && list.sort == HS_SORT_UPDATED &&
               !list.descending && list.has_cursor,
           "… limit, count, sort");
    tap_ok(next && !strpbrk(next, "<>\" ") && strstr(next, "q=a%26b%20%3E%22c&"), "… encoded: %s",
           next ? next : "(none)");
    next = next ? link_query(next, "next") : NULL;
    tap_ok(next && strstr(next, "&after=") == strrchr(next, '&'), "the next but one has one after");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_defaults();
    test_numbers();
    test_statuses();
    test_people();
    test_words();
    test_times();
    test_sort();
    test_count();
    test_malformed();
    test_change();
    test_cursors();
    test_links();
    test_links_keep();
    return tap_done();
}
