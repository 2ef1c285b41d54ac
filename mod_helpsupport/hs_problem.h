/* hs_problem.h - layer 2: RFC 9457 problems, and the one table from errors to HTTP statuses. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_PROBLEM_H
#define HS_PROBLEM_H

#include "hs_error.h"

#include <apr_tables.h>

#define HS_PROBLEM_TYPE_MISMATCH "urn:helpsupport:problem:idempotency-mismatch"

/* One thing that is wrong: exactly one of `pointer` ("#/email") and `parameter` ("limit") is set.
 */
typedef struct hs_fault {
    const char *pointer;
    const char *parameter;
    const char *detail;
} hs_fault;

typedef struct hs_problem {
    const char *type; /* "about:blank" or a URN */
    int status;
    const char *detail;         /* NULL: left out */
    const char *instance;       /* NULL: left out */
    apr_array_header_t *faults; /* of hs_fault; empty: the member "errors" is left out */
} hs_problem;

/* Make a problem of `status` (4xx, 5xx) with type about:blank in `pool`; `detail` may be NULL and
 * is kept, not copied. Thread: any. */
hs_problem *hs_problem_make(int status, const char *detail, apr_pool_t *pool);

/* Make the problem that tells a client of `error`: the one table from hs_code to status, type and
 * detail. Never repeats error->text, which is the log's, except that of HS_MALFORMED: it is written
 * for the client and becomes the detail (kept, not copied). Thread: any. */
hs_problem *hs_problem_of(const hs_error *error, apr_pool_t *pool);

/* Record that body member or query/path parameter `name` is wrong; strings are kept, not copied.
 * A member's `name` needs no escaping in a JSON pointer or a URI fragment. */
void hs_problem_add_member(hs_problem *problem, const char *name, const char *detail);
void hs_problem_add_parameter(hs_problem *problem, const char *name, const char *detail);

/* Set `detail` to a sentence that says how many members and parameters are wrong, as in the
 * contract's example ("2 members of the request body are not acceptable."). Without faults it
 * changes nothing. */
void hs_problem_summarize(hs_problem *problem);

/* The reason phrase that RFC 9110 (or the RFC that defines it) gives `status`; "Error" for others.
 */
const char *hs_problem_title(int status);

#endif
