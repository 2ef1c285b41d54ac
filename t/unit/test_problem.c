/* test_problem.c - RFC 9457 problems and the table from errors to statuses. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_problem.h"

#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

static void test_make(apr_pool_t *pool)
{
    hs_problem *problem = hs_problem_make(413, "Too much.", pool);

    tap_is_str(problem->type, "about:blank", "type");
    tap_is_int(problem->status, 413, "status");
    tap_is_str(problem->detail, "Too much.", "detail");
    tap_is_str(problem->instance, NULL, "no instance yet");
    tap_is_int(problem->faults->nelts, 0, "no faults");
    tap_is_str(hs_problem_make(404, NULL, pool)->detail, NULL, "detail may be left out");
}

static void test_of(apr_pool_t *pool)
{
    static const struct {
        hs_code code;
        int status;
        const char *type;
    } cases[] = {
        {HS_MALFORMED, 400, "about:blank"},     {HS_INVALID, 422, "about:blank"},
        {HS_NOT_FOUND, 404, "about:blank"},     {HS_STALE, 412, "about:blank"},
        {HS_UNAVAILABLE, 503, "about:blank"},   {HS_OUTCOME_UNKNOWN, 503, "about:blank"},
        {HS_CONFIGURATION, 503, "about:blank"}, {HS_DB_UNIQUE, 503, "about:blank"},
        {HS_DB_BUSY, 503, "about:blank"},       {HS_DB_LOST, 503, "about:blank"},
        {HS_DB_GONE, 503, "about:blank"},       {HS_DB_SCHEMA, 503, "about:blank"},
        {HS_DB_OTHER, 503, "about:blank"},      {HS_KEY_MISMATCH, 422, HS_PROBLEM_TYPE_MISMATCH},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        hs_error *error = hs_error_make(pool, cases[i].code, "text for the log");
        hs_problem *problem = hs_problem_of(error, pool);
        int is_told = problem->detail && strstr(problem->detail, "text for the log");

        tap_is_int(problem->status, cases[i].status,
                   apr_psprintf(pool, "status of code %d", (int)cases[i].code));
        tap_is_str(problem->type, cases[i].type, "its type");
        tap_ok(problem->detail && *problem->detail, "it has a detail");
        tap_is_int(is_told, cases[i].code == HS_MALFORMED, "the log's text stays in the log");
    }
}

static void test_faults(apr_pool_t *pool)
{
    hs_problem *problem = hs_problem_make(422, NULL, pool);
    hs_fault *fault;

    hs_problem_add_member(problem, "email", "must be one e-mail address");
    hs_problem_add_parameter(problem, "limit", "must be 1 to 1000");
    tap_is_int(problem->faults->nelts, 2, "two faults");
    fault = &APR_ARRAY_IDX(problem->faults, 0, hs_fault);
    tap_is_str(fault->pointer, "#/email", "pointer to the member");
    tap_is_str(fault->parameter, NULL, "a member is no parameter");
    tap_is_str(fault->detail, "must be one e-mail address", "its detail");
    fault = &APR_ARRAY_IDX(problem->faults, 1, hs_fault);
    tap_is_str(fault->pointer, NULL, "a parameter has no pointer");
    tap_is_str(fault->parameter, "limit", "its name");
    tap_is_str(fault->detail, "must be 1 to 1000", "its detail");
}

static void is_summary(int members, int parameters, const char *want, apr_pool_t *pool)
{
    hs_problem *problem = hs_problem_make(422, NULL, pool);

    for (int i = 0; i < parameters; i++) {
        hs_problem_add_parameter(problem, "limit", "no");
    }
    for (int i = 0; i < members; i++) {
        hs_problem_add_member(problem, "name", "no");
    }
    hs_problem_summarize(problem);
    tap_is_str(problem->detail, want, want ? want : "nothing to say without faults");
}

static void test_summary(apr_pool_t *pool)
{
    hs_problem *problem = hs_problem_make(422, "kept", pool);

    hs_problem_summarize(problem);
    tap_is_str(problem->detail, "kept", "without faults the detail stays");
    is_summary(0, 0, NULL, pool);
    is_summary(1, 0, "1 member of the request body is not acceptable.", pool);
    is_summary(2, 0, "2 members of the request body are not acceptable.", pool);
    is_summary(0, 1, "1 parameter of the request is not acceptable.", pool);
    is_summary(0, 12, "12 parameters of the request are not acceptable.", pool);
    is_summary(1, 1,
               "1 member of the request body and 1 parameter of the request are not "
               "acceptable.",
               pool);
    is_summary(4, 2,
               "4 members of the request body and 2 parameters of the request are not "
               "acceptable.",
               pool);
}

static void test_title(void)
{
    tap_is_str(hs_problem_title(400), "Bad Request", "400");
    tap_is_str(hs_problem_title(401), "Unauthorized", "401");
    tap_is_str(hs_problem_title(403), "Forbidden", "403");
    tap_is_str(hs_problem_title(404), "Not Found", "404");
    tap_is_str(hs_problem_title(405), "Method Not Allowed", "405");
    tap_is_str(hs_problem_title(408), "Request Timeout", "408");
    tap_is_str(hs_problem_title(409), "Conflict", "409");
    tap_is_str(hs_problem_title(411), "Length Required", "411");
    tap_is_str(hs_problem_title(412), "Precondition Failed", "412");
    tap_is_str(hs_problem_title(413), "Content Too Large", "413");
    tap_is_str(hs_problem_title(414), "URI Too Long", "414");
    tap_is_str(hs_problem_title(415), "Unsupported Media Type", "415");
    tap_is_str(hs_problem_title(417), "Expectation Failed", "417");
    tap_is_str(hs_problem_title(422), "Unprocessable Content", "422");
    tap_is_str(hs_problem_title(429), "Too Many Requests", "429");
    tap_is_str(hs_problem_title(431), "Request Header Fields Too Large", "431");
    tap_is_str(hs_problem_title(500), "Internal Server Error", "500");
    tap_is_str(hs_problem_title(501), "Not Implemented", "501");
    tap_is_str(hs_problem_title(502), "Bad Gateway", "502");
    tap_is_str(hs_problem_title(503), "Service Unavailable", "503");
    tap_is_str(hs_problem_title(504), "Gateway Timeout", "504");
    tap_is_str(hs_problem_title(511), "Network Authentication Required", "511, the last");
    tap_is_str(hs_problem_title(499), "Error", "a status that no RFC has");
    tap_is_str(hs_problem_title(0), "Error", "no status at all");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_make(pool);
    test_of(pool);
    test_faults(pool);
    test_summary(pool);
    test_title();
    apr_terminate();
    return tap_done();
}
