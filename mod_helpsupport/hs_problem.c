/* hs_problem.c - layer 2: RFC 9457 problems, and the one table from errors to HTTP statuses. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_problem.h"

#include <apr_strings.h>

static const struct {
    int status;
    const char *title;
} titles[] = {
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {506, "Variant Also Negotiates"},
    {507, "Insufficient Storage"},
    {508, "Loop Detected"},
    {511, "Network Authentication Required"},
};

hs_problem *hs_problem_make(int status, const char *detail, apr_pool_t *pool)
{
    hs_problem *problem = apr_palloc(pool, sizeof(*problem));

    problem->type = "about:blank";
    problem->status = status;
    problem->detail = detail;
    problem->instance = NULL;
    problem->faults = apr_array_make(pool, 4, sizeof(hs_fault));
    return problem;
}

static hs_problem *key_mismatch(apr_pool_t *pool)
{
    hs_problem *problem = hs_problem_make(
        422, "This Idempotency-Key was used before, with other members in the request body.", pool);

    problem->type = HS_PROBLEM_TYPE_MISMATCH;
    return problem;
}

hs_problem *hs_problem_of(const hs_error *error, apr_pool_t *pool)
{
    switch (error->code) {
    case HS_MALFORMED:
        return hs_problem_make(400, error->text, pool);
    case HS_INVALID:
        return hs_problem_make(422, "A value in the request is not acceptable.", pool);
    case HS_NOT_FOUND:
        return hs_problem_make(404, "There is no such ticket.", pool);
    case HS_STALE:
        return hs_problem_make(
            412, "If-Match names another version: the ticket has been changed since.", pool);
    case HS_KEY_MISMATCH:
        return key_mismatch(pool);
    case HS_OUTCOME_UNKNOWN:
        return hs_problem_make(503,
                               "It is not known whether the request was carried out. If it had an "
                               "Idempotency-Key, it can be sent again without harm.",
                               pool);
    case HS_UNAVAILABLE:
    case HS_CONFIGURATION:
    case HS_DB_UNIQUE:
    case HS_DB_BUSY:
    case HS_DB_LOST:
    case HS_DB_GONE:
    case HS_DB_SCHEMA:
    case HS_DB_OTHER:
        break;
    }
    return hs_problem_make(503, "The service cannot do this at the moment. Please try again later.",
                           pool);
}

static hs_fault *add_fault(hs_problem *problem, const char *detail)
{
    hs_fault *fault = apr_array_push(problem->faults);

    fault->pointer = NULL;
    fault->parameter = NULL;
    fault->detail = detail;
    return fault;
}

void hs_problem_add_member(hs_problem *problem, const char *name, const char *detail)
{
    add_fault(problem, detail)->pointer = apr_pstrcat(problem->faults->pool, "#/", name, NULL);
}

void hs_problem_add_parameter(hs_problem *problem, const char *name, const char *detail)
{
    add_fault(problem, detail)->parameter = name;
}

static int count_members(const apr_array_header_t *faults)
{
    int count = 0;

    for (int i = 0; i < faults->nelts; i++) {
        count += APR_ARRAY_IDX(faults, i, hs_fault).pointer != NULL;
    }
    return count;
}

static const char *count_phrase(int count, const char *noun, const char *tail, apr_pool_t *pool)
{
    return count ? apr_psprintf(pool, "%d %s%s%s", count, noun, count == 1 ? "" : "s", tail) : "";
}

void hs_problem_summarize(hs_problem *problem)
{
    apr_pool_t *pool = problem->faults->pool;
    int total = problem->faults->nelts;
    int members = count_members(problem->faults);

    if (!total) {
        return;
    }
    problem->detail =
        apr_pstrcat(pool, count_phrase(members, "member", " of the request body", pool),
                    members && members < total ? " and " : "",
                    count_phrase(total - members, "parameter", " of the request", pool),
                    total == 1 ? " is not acceptable." : " are not acceptable.", NULL);
}

const char *hs_problem_title(int status)
{
    for (apr_size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++) {
        if (titles[i].status == status) {
            return titles[i].title;
        }
    }
    return "Error";
}
