/* hs_request.c - layer 13: where a request becomes ours, and how its errors are told (architecture
 * 5). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_request.h"

#include "hs_cors.h"
#include "hs_http.h"
#include "hs_json.h"
#include "hs_log.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>

#include <string.h>

#define RETRY_AFTER_SECONDS "2"

hs_request *hs_request_get(const request_rec *r)
{
    return ap_get_module_config(r->request_config, &helpsupport_module);
}

int hs_request_refuse(hs_request *request, hs_problem *problem)
{
    request->problem = problem;
    return problem->status;
}

int hs_request_fail(request_rec *r, hs_request *request, const hs_error *error)
{
    hs_problem *problem = hs_problem_of(error, r->pool);

    if (problem->status >= HTTP_INTERNAL_SERVER_ERROR) {
        apr_table_setn(r->err_headers_out, "Retry-After", RETRY_AFTER_SECONDS);
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "HS0010: %s (request %s)", error->text,
                      hs_http_request_id(r));
    }
    return hs_request_refuse(request, problem);
}

/* An ErrorDocument would lead the error to another URI, where it loses our form; a text of the
 * request's own keeps it here, and the error filter replaces that text. httpd makes the array and
 * the text for the first status; asked for each of the sixty, it would make as many texts for every
 * request. */
static void keep_errors_here(request_rec *r)
{
    core_request_config *core = ap_get_core_module_config(r->request_config);
    int first = ap_index_of_response(HTTP_BAD_REQUEST);
    int last = ap_index_of_response(HTTP_NETWORK_AUTHENTICATION_REQUIRED);

    ap_custom_response(r, HTTP_BAD_REQUEST, "");
    for (int i = first + 1; i <= last; i++) {
        core->response_code_strings[i] = core->response_code_strings[first];
    }
}

static void let_errors_go(request_rec *r)
{
    core_request_config *core = ap_get_core_module_config(r->request_config);

    core->response_code_strings = NULL;
    ap_set_module_config(r->request_config, &helpsupport_module, NULL);
}

static hs_request *claim(request_rec *r, const hs_dir_config *dir)
{
    hs_request *request = apr_pcalloc(r->pool, sizeof(*request));

    request->dir = dir;
    request->server = hs_config_server(r->server);
    hs_route_find(&request->route, r->method, r->uri + strlen(dir->base), r->pool);
    ap_set_module_config(r->request_config, &helpsupport_module, request);
    return request;
}

/* The Location of a request that failed before post_read_request, such as one without a Host; but
 * not of one that was let go, in a place that says HelpSupport Off, nor of one whose header section
 * httpd could not read to its end: that is httpd's to answer, and it leaves this note. */
static const hs_location *late_location(const request_rec *r)
{
    const hs_location *location = hs_config_find_location(r->server, r->uri);

    return location && hs_config_dir(r)->enabled != 0 && !apr_table_get(r->notes, "error-notes")
               ? location
               : NULL;
}

int hs_request_post_read(request_rec *r)
{
    const hs_location *location = hs_config_find_location(r->server, r->uri);

    /* an ErrorDocument took such a request here: back to the error itself */
    if (r->prev && ap_is_HTTP_ERROR(r->prev->status) && !hs_request_get(r->prev) &&
        late_location(r->prev)) {
        return r->prev->status;
    }
    /* "%2F", "%zz" and ".." above the root fail before any Location is walked */
    if (location) {
        claim(r, location->dir);
        keep_errors_here(r);
    }
    return DECLINED;
}

static int lies_in_ours(const request_rec *r, const hs_dir_config *dir)
{
    return dir->enabled == 1 && !strncmp(r->uri, dir->base, strlen(dir->base));
}

int hs_request_pre_translate_name(request_rec *r)
{
    const hs_dir_config *dir = hs_config_dir(r);

    if (!lies_in_ours(r, dir)) {
        return DECLINED;
    }
    /* now without dots and double slashes, unlike in post_read_request */
    if (!hs_request_get(r)) {
        claim(r, dir);
        keep_errors_here(r);
    }
    /* a ProxyPass with mapping=encoded would leave the path undecoded */
    return OK;
}

static void make_ours(request_rec *r)
{
    r->proxyreq = PROXYREQ_NONE;
    r->handler = HS_HANDLER;
}

int hs_request_translate_name(request_rec *r)
{
    const hs_dir_config *dir = hs_config_dir(r);
    int was_claimed = hs_request_get(r) != NULL;

    if (!lies_in_ours(r, dir)) {
        if (was_claimed) {
            let_errors_go(r); /* an inner Location said HelpSupport Off */
        }
        return DECLINED;
    }
    if (!was_claimed) {
        keep_errors_here(r);
    }
    claim(r, dir)->is_translated = 1;
    make_ours(r);
    r->filename = r->uri;
    return OK;
}

static hs_request *translated(const request_rec *r)
{
    hs_request *request = hs_request_get(r);

    return request && request->is_translated ? request : NULL;
}

int hs_request_map_to_storage(request_rec *r)
{
    /* nothing on disk is asked: no stat, no .htaccess, no 403 for a long segment, no TRACE */
    return translated(r) ? OK : DECLINED;
}

int hs_request_type_checker(request_rec *r)
{
    /* else mod_mime takes an id's ending for a content encoding, and mod_include runs what a
     * message holds */
    return translated(r) ? OK : DECLINED;
}

int hs_request_fixups(request_rec *r)
{
    if (!translated(r)) {
        return DECLINED;
    }
    /* what a parent Location said: Dav On, a RewriteRule */
    make_ours(r);
    return OK;
}

/* The record of a request that failed before post_read_request. */
static hs_request *late_claim(request_rec *r)
{
    const hs_location *location = late_location(r);

    return location ? claim(r, location->dir) : NULL;
}

void hs_request_challenge(request_rec *r, const char *more)
{
    const char *realm = ap_auth_name(r);

    apr_table_setn(r->err_headers_out, "WWW-Authenticate",
                   apr_pstrcat(r->pool, "Bearer realm=\"",
                               ap_escape_quotes(r->pool, realm ? realm : "Help & Support"), "\"",
                               more, NULL));
}

/* A 401 without a challenge breaks RFC 9110 15.5.2; OIDC modules send such. */
static void put_challenge(request_rec *r, const char *more)
{
    if (!apr_table_get(r->err_headers_out, "WWW-Authenticate") &&
        !apr_table_get(r->headers_out, "WWW-Authenticate")) {
        hs_request_challenge(r, more);
    }
}

/* A Require has refused the bearer of a good token. Core asks for other credentials then, but that
 * is for people with several passwords: RFC 6750 3.1 has a 403 here. */
static void refuse_bearer(request_rec *r)
{
    r->status = HTTP_FORBIDDEN;
    put_challenge(r, ", error=\"insufficient_scope\"");
}

void hs_request_insert_error_filter(request_rec *r)
{
    hs_request *request = hs_request_get(r);

    if (!request) {
        request = late_claim(r);
    }
    if (!request || r->status < HTTP_BAD_REQUEST) {
        return;
    }
    hs_http_put_common(r->err_headers_out);
    hs_cors_put(r, r->err_headers_out, request->dir->origins, &request->route);
    if (r->status == HTTP_UNAUTHORIZED && request->is_authenticated && request->token_digest) {
        refuse_bearer(r);
    } else if (r->status == HTTP_UNAUTHORIZED) {
        put_challenge(r, "");
    }
    hs_http_close_if_unread(r, hs_config_max_body_bytes(request->dir));
    ap_add_output_filter(HS_PROBLEM_FILTER, NULL, r, r->connection);
}

/* What to say of the error: what we said, or for another module's no more than its status. */
static const hs_problem *problem_of(request_rec *r, const hs_request *request)
{
    hs_problem *problem = request ? request->problem : NULL;

    if (!problem || problem->status != r->status) {
        problem = hs_problem_make(r->status, NULL, r->pool);
    }
    problem->instance = apr_pstrcat(r->pool, "urn:request:", hs_http_request_id(r), NULL);
    return problem;
}

apr_status_t hs_request_problem_filter(ap_filter_t *f, apr_bucket_brigade *bb)
{
    request_rec *r = f->r;
    const hs_request *request = hs_request_get(r);
    hs_buffer body;

    if (f->ctx) {
        apr_brigade_cleanup(bb); /* the rest of what we have replaced */
        return APR_SUCCESS;
    }
    f->ctx = r;
    hs_buffer_init(&body, 512, r->pool);
    hs_json_put_problem(&body, problem_of(r, request));
    apr_table_unset(r->headers_out, "Content-Encoding");
    if (request && r->status == HTTP_METHOD_NOT_ALLOWED) {
        /* core has put what its own method masks say */
        apr_table_setn(r->headers_out, "Allow", hs_route_allow(request->route.resource));
    }
    ap_set_content_type(r, "application/problem+json");
    ap_set_content_length(r, (apr_off_t)body.length);
    return hs_http_replace(f, bb, &body);
}
