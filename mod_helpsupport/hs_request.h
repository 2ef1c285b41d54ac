/* hs_request.h - layer 13: where a request becomes ours, and how its errors are told (architecture
 * 5). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_REQUEST_H
#define HS_REQUEST_H

#include "hs_config.h"
#include "hs_problem.h"
#include "hs_route.h"

#include <httpd.h>
#include <util_filter.h>

#define HS_HANDLER "helpsupport"
#define HS_PROBLEM_FILTER "HELPSUPPORT_PROBLEM"

/* What we know of a request in a Location of ours, in its request_config. */
typedef struct hs_request {
    const hs_dir_config *dir;
    const hs_server_config *server;
    hs_route route;
    int is_translated;    /* 0: only its raw URI lies in a Location, so far */
    int is_authenticated; /* core ran a check_user_id for this very request and it said OK */
    unsigned
        scopes; /* HS_SCOPE_*: what a bearer token allows; all where another AuthType decides */
    const char *token_digest; /* of the bearer token, or NULL */
    hs_problem *problem;      /* what its error answer says, or NULL: nothing but the status */
} hs_request;

/* The record of a request, or NULL where it isn't ours. */
hs_request *hs_request_get(const request_rec *r);

/* Let the answer to this request be `problem`: returns its status, for a hook or handler to return.
 */
int hs_request_refuse(hs_request *request, hs_problem *problem);

/* Log an error of the store and let the answer be its problem, with Retry-After where that is 503.
 */
int hs_request_fail(request_rec *r, hs_request *request, const hs_error *error);

/* Put the Bearer challenge of RFC 6750 3 into the error's headers; `more` is what follows the
 * realm, or "". */
void hs_request_challenge(request_rec *r, const char *more);

/* Hooks. */
int hs_request_post_read(request_rec *r);
int hs_request_pre_translate_name(request_rec *r);
int hs_request_translate_name(request_rec *r);
int hs_request_map_to_storage(request_rec *r);
int hs_request_type_checker(request_rec *r);
int hs_request_fixups(request_rec *r);
void hs_request_insert_error_filter(request_rec *r);

/* The output filter HS_PROBLEM_FILTER: whatever the error's body is, it becomes problem+json. */
apr_status_t hs_request_problem_filter(ap_filter_t *f, apr_bucket_brigade *bb);

#endif
