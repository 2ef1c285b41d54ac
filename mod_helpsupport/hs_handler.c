/* hs_handler.c - layer 15: one short function per operation. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_handler.h"

#include "hs_auth.h"
#include "hs_cors.h"
#include "hs_http.h"
#include "hs_json.h"
#include "hs_log.h"
#include "hs_request.h"
#include "hs_uri.h"
#include "hs_utf8.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>

#include <string.h>

#define ACCEPT_POST "application/json"
#define IDEMPOTENCY_KEY_MAX 255
#define TICKET_BYTES 768 /* of JSON, usually enough for one */
#define TICKET_IN_LIST_BYTES 512

static int refuse(request_rec *r, hs_request *request, int status, const char *detail)
{
    return hs_request_refuse(request, hs_problem_make(status, detail, r->pool));
}

/* OK, or the status where `problem` has collected faults. */
static int check_faults(hs_request *request, hs_problem *problem)
{
    if (!problem->faults->nelts) {
        return OK;
    }
    hs_problem_summarize(problem);
    return hs_request_refuse(request, problem);
}

/* What every answer of the handler's has. Only a submission has read its body. */
static void put_headers(request_rec *r, const hs_request *request)
{
    hs_http_put_common(r->headers_out);
    hs_cors_put(r, r->headers_out, request->dir->origins, &request->route);
    if (request->route.operation != HS_OP_SUBMIT) {
        hs_http_close_if_unread(r, hs_config_max_body_bytes(request->dir));
    }
}

static int send_body(request_rec *r, const hs_request *request, const hs_buffer *body)
{
    put_headers(r, request);
    return hs_http_send_json(r, body);
}

static int send_ticket(request_rec *r, const hs_request *request, const hs_ticket *ticket)
{
    hs_buffer body;

    hs_buffer_init(&body, TICKET_BYTES, r->pool);
    hs_json_put_ticket(&body, ticket);
    return send_body(r, request, &body);
}

/* ---- POST {base}/{user_id} ---- */

static int check_submit_limit(request_rec *r, hs_request *request)
{
    const hs_rate *rate = hs_config_submit_rate(request->dir);
    apr_int64_t wait_s;

    if (!rate->requests || apr_table_get(r->subprocess_env, "helpsupport-unlimited")) {
        return OK;
    }
    wait_s = hs_limit_take(request->server->node->submissions, request->dir->base,
                           r->useragent_addr, rate, r->request_time);
    if (!wait_s) {
        return OK;
    }
    apr_table_setn(r->err_headers_out, "Retry-After",
                   apr_psprintf(r->pool, "%" APR_INT64_T_FMT, wait_s));
    if (hs_limit_first_refusal(request->server->node->submissions)) {
        ap_log_rerror(
            APLOG_MARK, APLOG_WARNING, 0, r,
            "HS0030: too many submissions from %s; if that is a proxy of yours, load mod_remoteip "
            "so that each "
            "client is counted by its own address; not logged again until a restart (request %s)",
            r->useragent_ip, hs_http_request_id(r));
    }
    return refuse(r, request, HTTP_TOO_MANY_REQUESTS, "Too many submissions from this address.");
}

/* The Idempotency-Key, quotes taken off, in *key; NULL where the field is absent. OK, or 400. */
static int read_idempotency_key(request_rec *r, hs_request *request, const char **key)
{
    const char *field = apr_table_get(r->headers_in, "Idempotency-Key");
    size_t length;

    *key = NULL;
    if (!field) {
        return OK;
    }
    length = strlen(field);
    if (length >= 2 && field[0] == '"' && field[length - 1] == '"') {
        field++;
        length -= 2;
    }
    for (size_t i = 0; i < length; i++) {
        if (field[i] < '!' || field[i] > '~' || field[i] == '"') {
            length = 0;
        }
    }
    if (!length || length > IDEMPOTENCY_KEY_MAX) {
        return refuse(r, request, HTTP_BAD_REQUEST,
                      "Idempotency-Key must be 1 to 255 visible ASCII characters.");
    }
    *key = apr_pstrmemdup(r->pool, field, length);
    return OK;
}

/* Whether the path has a "%2F" that AllowEncodedSlashes NoDecode has left there, so that the
 * user_id has a slash. In r->uri it looks like a "%252F", which is a legal one's. Core has asked
 * the server's settings, not yet those of a Location. */
static int has_kept_slash(request_rec *r)
{
    const core_dir_config *core = ap_get_core_module_config(r->server->lookup_defaults);
    const char *slash = ap_strcasestr(r->unparsed_uri, "%2f");

    return core->allow_encoded_slashes && !core->decode_encoded_slashes && slash &&
           slash < r->unparsed_uri + strcspn(r->unparsed_uri, "?");
}

/* Read and check the body, in the contract's order, into *ticket. */
static int read_ticket(request_rec *r, hs_request *request, hs_ticket *ticket)
{
    hs_problem *problem = hs_problem_make(HTTP_UNPROCESSABLE_ENTITY, NULL, r->pool);
    const char *body;
    apr_size_t length;
    hs_submission submission;
    hs_error *error;
    int status;

    if (!hs_http_is_json(apr_table_get(r->headers_in, "Content-Type"))) {
        apr_table_setn(r->err_headers_out, "Accept-Post", ACCEPT_POST);
        return refuse(r, request, HTTP_UNSUPPORTED_MEDIA_TYPE,
                      "The request body must be application/json.");
    }
    status = hs_http_read_body(r, hs_config_max_body_bytes(request->dir), &body, &length);
    if (status != OK) {
        return status;
    }
    error = hs_json_read_submission(&submission, body, length, r->pool);
    if (error) {
        return hs_request_fail(r, request, error);
    }
    ticket->user_id = request->route.segment;
    hs_ticket_check_user_id(problem, has_kept_slash(r) ? "/" : ticket->user_id);
    hs_ticket_accept(ticket, problem, &submission, r->pool);
    return check_faults(request, problem);
}

static int send_created(request_rec *r, const hs_request *request, const hs_ticket *ticket,
                        int is_replayed)
{
    hs_buffer body;

    hs_buffer_init(&body, TICKET_BYTES, r->pool);
    hs_json_put_submitted(&body, ticket);
    r->status = HTTP_CREATED;
    apr_table_setn(r->headers_out, "Location",
                   apr_pstrcat(r->pool, hs_uri_encode_path(request->dir->base, r->pool), "/",
                               ticket->id, NULL));
    if (is_replayed) {
        apr_table_setn(r->headers_out, "Idempotency-Replayed", "true");
    }
    return send_body(r, request, &body);
}

/* In which language the mail will be, or why there will be none. */
static void set_mail(request_rec *r, const hs_request *request, hs_submit *task)
{
    hs_confirmation *templates = request->server->mail.templates;
    hs_error *error;

    task->language = HS_CONFIRMATION_LANGUAGE;
    if (!hs_config_sends_mail(request->server)) {
        task->suppressed = "mail off";
        return;
    }
    /* so that a new language is offered; of what is wrong with one the mail process tells */
    error = hs_confirmation_refresh(templates, r->request_time, r->pool);
    (void)error;
    task->language = hs_confirmation_language(
        templates, apr_table_get(r->headers_in, "Accept-Language"), r->pool);
}

static int submit(request_rec *r, hs_request *request)
{
    hs_ticket ticket = {0};
    hs_submit task = {.ticket = &ticket, .site = r->server->server_hostname};
    char id[HS_UUID_SIZE];
    hs_error *error;
    int is_replayed = 0;
    int status = check_submit_limit(r, request);

    if (status == OK) {
        status = read_ticket(r, request, &ticket);
    }
    if (status == OK) {
        status = read_idempotency_key(r, request, &task.idempotency_key);
    }
    if (status != OK) {
        return status;
    }
    if (!hs_uuid_make(id, apr_time_now())) {
        error = hs_error_make(r->pool, HS_UNAVAILABLE, "the system gives no random octets");
        return hs_request_fail(r, request, error);
    }
    ticket.id = id;
    set_mail(r, request, &task);
    error = hs_store_submit(request->server->database->store, &task, &is_replayed, r->pool);
    return error ? hs_request_fail(r, request, error)
                 : send_created(r, request, &ticket, is_replayed);
}

/* ---- GET {base}/{ticket_id}, {base}/{ticket_id}/history ---- */

static int find_ref(request_rec *r, hs_request *request, hs_ticket_ref *ref)
{
    return hs_ticket_ref_parse(ref, request->route.segment, r->pool)
               ? OK
               : refuse(r, request, HTTP_NOT_FOUND, "There is no such ticket.");
}

static int read_one(request_rec *r, hs_request *request)
{
    const char *if_match = apr_table_get(r->headers_in, "If-Match");
    const char *if_none_match = apr_table_get(r->headers_in, "If-None-Match");
    const char *etag;
    hs_ticket *ticket;
    hs_ticket_ref ref;
    hs_error *error;
    int status = find_ref(r, request, &ref);

    if (status != OK) {
        return status;
    }
    error = hs_store_get(request->server->database->store, &ticket, &ref, r->pool);
    if (error) {
        return hs_request_fail(r, request, error);
    }
    etag = hs_ticket_etag(ticket, r->pool);
    if (if_match && !hs_ticket_etag_matches(if_match, etag, 0)) {
        apr_table_setn(r->err_headers_out, "ETag", etag);
        return hs_request_fail(r, request, hs_error_make(r->pool, HS_STALE, "stale"));
    }
    apr_table_setn(r->headers_out, "ETag", etag);
    if (if_none_match && hs_ticket_etag_matches(if_none_match, etag, 1)) {
        put_headers(r, request);
        r->status = HTTP_NOT_MODIFIED;
        return OK;
    }
    return send_ticket(r, request, ticket);
}

static int read_history(request_rec *r, hs_request *request)
{
    apr_array_header_t *events;
    hs_ticket_ref ref;
    hs_buffer body;
    hs_error *error;
    int status = find_ref(r, request, &ref);

    if (status != OK) {
        return status;
    }
    error = hs_store_history(request->server->database->store, &events, &ref, r->pool);
    if (error) {
        return hs_request_fail(r, request, error);
    }
    hs_buffer_init(&body, TICKET_BYTES, r->pool);
    hs_json_put_events(&body, events);
    return send_body(r, request, &body);
}

/* ---- GET {base} ---- */

static void put_list_headers(request_rec *r, const hs_request *request, const hs_list *list,
                             const hs_page *page)
{
    const char *path = *request->dir->base ? request->dir->base : "/";
    const hs_ticket *last = NULL;
    const char *links;

    if (page->has_more) {
        last = APR_ARRAY_IDX(page->tickets, page->tickets->nelts - 1, const hs_ticket *);
    }
    links = hs_query_links(list, path, last, r->pool);
    if (links) {
        apr_table_setn(r->headers_out, "Link", links);
    }
    if (list->count != HS_COUNT_NONE) {
        apr_table_setn(r->headers_out, "X-Total-Count",
                       apr_psprintf(r->pool, "%" APR_INT64_T_FMT "%s", page->total,
                                    page->total_is_capped ? "+" : ""));
    }
}

static int read_list(request_rec *r, hs_request *request)
{
    hs_problem *problem = hs_problem_make(HTTP_UNPROCESSABLE_ENTITY, NULL, r->pool);
    hs_list list;
    hs_page page;
    hs_buffer body;
    hs_error *error = hs_query_list(&list, problem, r->args, r->pool);
    int status = error ? hs_request_fail(r, request, error) : check_faults(request, problem);

    if (status != OK) {
        return status;
    }
    error = hs_store_list(request->server->database->store, &page, &list, r->pool);
    if (error) {
        return hs_request_fail(r, request, error);
    }
    put_list_headers(r, request, &list, &page);
    hs_buffer_init(&body, (apr_size_t)page.tickets->nelts * TICKET_IN_LIST_BYTES + 16, r->pool);
    hs_json_put_tickets(&body, page.tickets);
    return send_body(r, request, &body);
}

/* ---- PATCH {base}/{ticket_id}/status ---- */

/* A module's own idea of a name, such as an LDAP DN, may be of any length and in any encoding. */
static const char *admin_name(const request_rec *r)
{
    return hs_utf8_cut(hs_utf8_repair(r->user ? r->user : "", r->pool), HS_BY_MAX, r->pool);
}

static int set_status(request_rec *r, hs_request *request)
{
    hs_problem *problem = hs_problem_make(HTTP_UNPROCESSABLE_ENTITY, NULL, r->pool);
    hs_change change = {.if_match = apr_table_get(r->headers_in, "If-Match"),
                        .if_none_match = apr_table_get(r->headers_in, "If-None-Match"),
                        .by = admin_name(r)};
    hs_ticket *ticket = NULL;
    hs_error *error;
    int status = find_ref(r, request, &change.ref);

    if (status == OK) {
        error = hs_query_status(&change.status, problem, r->args, r->pool);
        status = error ? hs_request_fail(r, request, error) : check_faults(request, problem);
    }
    if (status != OK) {
        return status;
    }
    error = hs_store_set_status(request->server->database->store, &ticket, &change, r->pool);
    if (ticket) {
        /* also on a 412: the client learns which version it has to look at; else where a
         * compressing filter finds it */
        apr_table_setn(error ? r->err_headers_out : r->headers_out, "ETag",
                       hs_ticket_etag(ticket, r->pool));
    }
    return error ? hs_request_fail(r, request, error) : send_ticket(r, request, ticket);
}

/* ---- all of them ---- */

static int answer_options(request_rec *r, const hs_request *request)
{
    put_headers(r, request);
    apr_table_setn(r->headers_out, "Allow", hs_route_allow(request->route.resource));
    if (request->route.resource == HS_RESOURCE_TICKET) {
        apr_table_setn(r->headers_out, "Accept-Post", ACCEPT_POST);
    }
    r->status = HTTP_NO_CONTENT;
    return OK;
}

static int refuse_route(request_rec *r, hs_request *request)
{
    if (request->route.resource == HS_RESOURCE_NONE) {
        return refuse(r, request, HTTP_NOT_FOUND, "There is no such resource.");
    }
    return refuse(r, request, HTTP_METHOD_NOT_ALLOWED, "This resource does not know this method.");
}

static int read_something(request_rec *r, hs_request *request)
{
    switch (request->route.resource) {
    case HS_RESOURCE_TICKETS:
        return read_list(r, request);
    case HS_RESOURCE_HISTORY:
        return read_history(r, request);
    case HS_RESOURCE_TICKET:
    case HS_RESOURCE_STATUS:
    case HS_RESOURCE_NONE:
    default:
        return read_one(r, request);
    }
}

static int operate(request_rec *r, hs_request *request)
{
    if (request->route.operation == HS_OP_NONE) {
        return refuse_route(r, request);
    }
    if (!request->server->database) {
        return hs_request_fail(r, request,
                               hs_error_make(r->pool, HS_UNAVAILABLE,
                                             "this process could not open its database: see its "
                                             "start in this log"));
    }
    switch (request->route.operation) {
    case HS_OP_SUBMIT:
        return submit(r, request);
    case HS_OP_READ:
        return read_something(r, request);
    case HS_OP_WRITE:
        return set_status(r, request);
    case HS_OP_OPTIONS:
    case HS_OP_NONE:
    default:
        return refuse_route(r, request);
    }
}

int hs_handler_run(request_rec *r)
{
    hs_request *request = hs_request_get(r);
    int status = OK;

    if (!r->handler || strcmp(r->handler, HS_HANDLER) != 0) {
        return DECLINED;
    }
    if (!request || !request->is_translated) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      "HS0031: SetHandler " HS_HANDLER " does nothing: write HelpSupport On into a "
                      "<Location> of the server configuration (request %s)",
                      hs_http_request_id(r));
        return DECLINED;
    }
    if (request->route.operation == HS_OP_OPTIONS) {
        return answer_options(r, request);
    }
    if (request->route.operation == HS_OP_READ || request->route.operation == HS_OP_WRITE) {
        status = hs_auth_check_operation(r, request);
    }
    return status == OK ? operate(r, request) : status;
}
