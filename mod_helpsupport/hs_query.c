/* hs_query.c - layer 4: the query of list and status, cursors, Link (contract 1.3, 1.4). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_query.h"

#include "hs_buffer.h"
#include "hs_email.h"
#include "hs_time.h"
#include "hs_uri.h"
#include "hs_utf8.h"

#include <apr_encode.h>
#include <apr_strings.h>

#include <string.h>

#define LINK_CAPACITY 512
#define ALL_STATUSES ((1u << HS_STATUS_COUNT) - 1)

/* A parameter of the list. `read` puts one value that isn't empty into the list and returns NULL,
 * or what is wrong with the value. */
typedef struct parameter {
    const char *name;
    int is_repeatable;
    int space_is_plus; /* what a "+" that the client forgot to encode was decoded to */
    const char *(*read)(hs_list *list, const char *value, apr_pool_t *pool);
} parameter;

/* Decimal digits to a number of at most `max`. Returns 1, or 0 for anything else. */
static int read_number(apr_int64_t *number, const char *text, apr_int64_t max)
{
    apr_int64_t value = 0;

    if (!*text) {
        return 0;
    }
    for (; *text; text++) {
        int digit = *text - '0';

        if (digit < 0 || digit > 9 || value > (max - digit) / 10) {
            return 0;
        }
        value = value * 10 + digit;
    }
    *number = value;
    return 1;
}

static const char *read_skip(hs_list *list, const char *value, apr_pool_t *pool)
{
    (void)pool;
    list->has_skip = read_number(&list->skip, value, APR_INT64_MAX);
    return list->has_skip ? NULL : "must be a number from 0 to 9223372036854775807";
}

static const char *read_limit(hs_list *list, const char *value, apr_pool_t *pool)
{
    apr_int64_t limit;

    (void)pool;
    if (!read_number(&limit, value, HS_LIMIT_MAX) || limit < 1) {
        return "must be a number from 1 to 1000";
    }
    list->limit = (int)limit;
    return NULL;
}

static const char *read_statuses(hs_list *list, const char *value, apr_pool_t *pool)
{
    for (;;) {
        apr_size_t length = strcspn(value, ",");
        hs_status status;

        if (!hs_status_parse(&status, apr_pstrmemdup(pool, value, length))) {
            return "must be one or more of open, pending, resolved, closed, separated by commas";
        }
        list->statuses |= 1u << status;
        if (!value[length]) {
            return NULL;
        }
        value += length + 1;
    }
}

static const char *read_user_id(hs_list *list, const char *value, apr_pool_t *pool)
{
    hs_problem *problem = hs_problem_make(422, NULL, pool);

    hs_ticket_check_user_id(problem, value);
    if (problem->faults->nelts) {
        return APR_ARRAY_IDX(problem->faults, 0, hs_fault).detail;
    }
    list->user_id = value;
    return NULL;
}

static const char *read_email(hs_list *list, const char *value, apr_pool_t *pool)
{
    const char *address = hs_email_normalize(value, pool);

    if (!address) {
        return "must be one e-mail address";
    }
    list->email = hs_email_fold(address, pool);
    return NULL;
}

static const char *read_words(hs_list *list, const char *value, apr_pool_t *pool)
{
    list->words = hs_utf8_words(value, pool);
    return list->words->nelts ? NULL : "must hold at least one letter or digit";
}

static const char *read_time(int *has, apr_time_t *us, const char *value)
{
    *has = hs_time_parse(us, value);
    return *has ? NULL : "must be an RFC 3339 time such as 2025-07-04T12:00:00Z";
}

static const char *read_created_after(hs_list *list, const char *value, apr_pool_t *pool)
{
    (void)pool;
    return read_time(&list->has_created_after, &list->created_after_us, value);
}

static const char *read_created_before(hs_list *list, const char *value, apr_pool_t *pool)
{
    (void)pool;
    return read_time(&list->has_created_before, &list->created_before_us, value);
}

static const char *read_updated_after(hs_list *list, const char *value, apr_pool_t *pool)
{
    (void)pool;
    return read_time(&list->has_updated_after, &list->updated_after_us, value);
}

static const char *read_sort(hs_list *list, const char *value, apr_pool_t *pool)
{
    const char *name = *value == '-' ? value + 1 : value;

    (void)pool;
    if (strcmp(name, "created_at") != 0 && strcmp(name, "updated_at") != 0) {
        return "must be created_at or updated_at, with - before it for newest first";
    }
    list->sort = *name == 'c' ? HS_SORT_CREATED : HS_SORT_UPDATED;
    list->descending = *value == '-';
    return NULL;
}

static const char *read_count(hs_list *list, const char *value, apr_pool_t *pool)
{
    (void)pool;
    if (strcmp(value, "false") == 0) {
        return NULL;
    }
    if (strcmp(value, "true") == 0) {
        list->count = HS_COUNT_EXACT;
        return NULL;
    }
    if (!read_number(&list->count_cap, value, HS_COUNT_CAP_MAX) || list->count_cap < 1) {
        return "must be true, false or a number from 1 to 1000000";
    }
    list->count = HS_COUNT_CAPPED;
    return NULL;
}

/* A cursor is the order that it was made for and the place in it: base64url of such as
 * "A:1751630400000000:42". Encoded only so that nobody builds on its form. */
static const char *make_cursor(const hs_list *list, apr_time_t us, apr_int64_t number,
                               apr_pool_t *pool)
{
    const char *order = list->sort == HS_SORT_CREATED ? "aA" : "bB";
    const char *text = apr_psprintf(pool, "%c:%" APR_TIME_T_FMT ":%" APR_INT64_T_FMT,
                                    order[list->descending ? 1 : 0], us, number);

    return apr_pencode_base64(pool, text, APR_ENCODE_STRING, APR_ENCODE_BASE64URL, NULL);
}

/* Take the time and the number out of a cursor. Returns 1, or 0 where it has no such form. */
static int parse_cursor(hs_list *list, const char *cursor, apr_pool_t *pool)
{
    const char *text =
        apr_pdecode_base64(pool, cursor, APR_ENCODE_STRING, APR_ENCODE_BASE64URL, NULL);
    char *us;
    char *number;

    us = text && *text ? strchr(text, ':') : NULL;
    number = us ? strchr(us + 1, ':') : NULL;
    if (!number) {
        return 0;
    }
    us++;
    *number++ = '\0';
    return read_number(&list->cursor_us, us, APR_INT64_MAX) &&
           read_number(&list->cursor_number, number, APR_INT64_MAX);
}

/* Read after skip and sort, with which a cursor must agree. */
static const char *read_after(hs_list *list, const char *value, apr_pool_t *pool)
{
    if (list->has_skip) {
        return "must not be used together with skip";
    }
    if (!parse_cursor(list, value, pool)) {
        return "must be a cursor from a Link header";
    }
    /* Only what make_cursor would write for this very order: refuses other orders, leading zeros,
     * octets behind a NUL and base64 with stray bits, all in one. */
    if (strcmp(value, make_cursor(list, list->cursor_us, list->cursor_number, pool)) != 0) {
        return "must be a cursor from a Link header of a list in the same order";
    }
    list->has_cursor = 1;
    return NULL;
}

static const parameter parameters[] = {
    {"skip", 0, 0, read_skip},
    {"limit", 0, 0, read_limit},
    {"status", 1, 0, read_statuses},
    {"user_id", 0, 1, read_user_id},
    {"email", 0, 1, read_email},
    {"q", 0, 0, read_words},
    {"created_after", 0, 1, read_created_after},
    {"created_before", 0, 1, read_created_before},
    {"updated_after", 0, 1, read_updated_after},
    {"sort", 0, 0, read_sort},
    {"count", 0, 0, read_count},
    {"after", 0, 0, read_after},
};

static const char *spaces_to_plus(const char *value, apr_pool_t *pool)
{
    char *copy = apr_pstrdup(pool, value);

    for (char *at = copy; *at; at++) {
        if (*at == ' ') {
            *at = '+';
        }
    }
    return copy;
}

/* Read all occurrences of one parameter; reports it at most once. */
static void read_parameter(hs_list *list, hs_problem *problem, const parameter *what,
                           apr_pool_t *pool)
{
    const char *fault = NULL;
    int seen = 0;

    for (int i = 0; i < list->kept->nelts && !fault; i++) {
        const hs_uri_pair *pair = &APR_ARRAY_IDX(list->kept, i, hs_uri_pair);
        const char *value = pair->value;

        if (strcmp(pair->name, what->name) != 0) {
            continue;
        }
        if (what->space_is_plus) {
            value = spaces_to_plus(value, pool);
        }
        fault = seen++ && !what->is_repeatable ? "must be given only once"
                                               : what->read(list, value, pool);
    }
    if (fault) {
        hs_problem_add_parameter(problem, what->name, fault);
    }
}

/* Drop in place what is empty (it counts as absent), or, with `paging`, skip and after. */
static void drop_pairs(apr_array_header_t *pairs, int paging)
{
    int kept = 0;

    for (int i = 0; i < pairs->nelts; i++) {
        hs_uri_pair pair = APR_ARRAY_IDX(pairs, i, hs_uri_pair);
        int is_paging = strcmp(pair.name, "skip") == 0 || strcmp(pair.name, "after") == 0;

        if (paging ? !is_paging : *pair.value != '\0') {
            APR_ARRAY_IDX(pairs, kept++, hs_uri_pair) = pair;
        }
    }
    pairs->nelts = kept;
}

static hs_error *decode(apr_array_header_t **pairs, const char *query, apr_pool_t *pool)
{
    *pairs = hs_uri_query(query, pool);
    if (*pairs) {
        return NULL;
    }
    return hs_error_make(pool, HS_MALFORMED,
                         "The query is not percent-encoded UTF-8 without U+0000.");
}

hs_error *hs_query_list(hs_list *list, hs_problem *problem, const char *query, apr_pool_t *pool)
{
    hs_error *error;

    memset(list, 0, sizeof(*list));
    list->limit = HS_LIMIT_DEFAULT;
    list->sort = HS_SORT_CREATED;
    list->descending = 1;
    list->count = HS_COUNT_NONE;
    error = decode(&list->kept, query, pool);
    if (error) {
        return error;
    }
    drop_pairs(list->kept, 0);
    for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
        read_parameter(list, problem, &parameters[i], pool);
    }
    if (list->statuses == ALL_STATUSES) {
        list->statuses = 0;
    }
    drop_pairs(list->kept, 1);
    return NULL;
}

hs_error *hs_query_status(hs_status *status, hs_problem *problem, const char *query,
                          apr_pool_t *pool)
{
    apr_array_header_t *pairs;
    const char *value = NULL;
    int seen = 0;
    hs_error *error = decode(&pairs, query, pool);

    if (error) {
        return error;
    }
    for (int i = 0; i < pairs->nelts; i++) {
        const hs_uri_pair *pair = &APR_ARRAY_IDX(pairs, i, hs_uri_pair);

        if (strcmp(pair->name, "status") == 0) {
            value = pair->value;
            seen++;
        }
    }
    /* Unlike in a list an empty one counts: which of "status=&status=open" was meant is a guess. */
    if (seen != 1 || !hs_status_parse(status, value)) {
        hs_problem_add_parameter(problem, "status",
                                 "must be given once: open, pending, resolved or closed");
    }
    return NULL;
}

/* Append one link: `path`, everything kept, and `name`=`value`. */
static void put_link(hs_buffer *out, const hs_list *list, const char *path, const char *rel,
                     const char *last_pair)
{
    hs_buffer_puts(out, out->length ? ", <" : "<");
    hs_buffer_puts(out, path);
    hs_buffer_putc(out, '?');
    for (int i = 0; i < list->kept->nelts; i++) {
        const hs_uri_pair *pair = &APR_ARRAY_IDX(list->kept, i, hs_uri_pair);

        hs_buffer_puts(out, hs_uri_encode(pair->name, out->pool));
        hs_buffer_putc(out, '=');
        hs_buffer_puts(out, hs_uri_encode(pair->value, out->pool));
        hs_buffer_putc(out, '&');
    }
    hs_buffer_puts(out, last_pair);
    hs_buffer_puts(out, ">; rel=\"");
    hs_buffer_puts(out, rel);
    hs_buffer_putc(out, '"');
}

static void put_next(hs_buffer *out, const hs_list *list, const char *path, const hs_ticket *last)
{
    apr_time_t us = list->sort == HS_SORT_CREATED ? last->created_us : last->updated_us;
    const char *pair;

    if (!list->has_skip) {
        pair =
            apr_pstrcat(out->pool, "after=", make_cursor(list, us, last->number, out->pool), NULL);
    } else if (list->skip <= APR_INT64_MAX - list->limit) {
        pair = apr_psprintf(out->pool, "skip=%" APR_INT64_T_FMT, list->skip + list->limit);
    } else {
        return;
    }
    put_link(out, list, path, "next", pair);
}

static void put_back(hs_buffer *out, const hs_list *list, const char *path)
{
    apr_int64_t skip = list->skip > list->limit ? list->skip - list->limit : 0;
    const char *pair = apr_psprintf(out->pool, "skip=%" APR_INT64_T_FMT, skip);

    put_link(out, list, path, "prev", pair);
    put_link(out, list, path, "first", "skip=0");
}

const char *hs_query_links(const hs_list *list, const char *path, const hs_ticket *last,
                           apr_pool_t *pool)
{
    hs_buffer out;

    /* A target that begins with two slashes would name another host (RFC 3986 4.2). */
    while (path[0] == '/' && path[1] == '/') {
        path++;
    }
    path = hs_uri_encode_path(path, pool);
    hs_buffer_init(&out, LINK_CAPACITY, pool);
    if (last) {
        put_next(&out, list, path, last);
    }
    if (list->skip > 0) {
        put_back(&out, list, path);
    }
    return out.length ? out.data : NULL;
}
