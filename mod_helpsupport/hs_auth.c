/* hs_auth.c - layer 14: AuthType Bearer, Require help-support, proof of authentication (contract
 * 4). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_auth.h"

#include "hs_http.h"
#include "hs_log.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_request.h>

#include <string.h>

#define BEARER "Bearer"
#define LOGGED_DIGITS 8 /* of a token's digest */

static int is_admin_operation(const hs_request *request)
{
    return request->route.operation == HS_OP_READ || request->route.operation == HS_OP_WRITE;
}

static int is_bearer(request_rec *r)
{
    const char *type = ap_auth_type(r);

    return type && !ap_cstr_casecmp(type, BEARER);
}

/* ---- authentication ---- */

/* Let the answer be 401 or 403 with the Bearer challenge of RFC 6750 3; `more` is what follows the
 * realm, or "". */
static int challenge(request_rec *r, hs_request *request, int status, const char *more,
                     const char *detail)
{
    hs_request_challenge(r, more);
    return hs_request_refuse(request, hs_problem_make(status, detail, r->pool));
}

static int refuse_token(request_rec *r, hs_request *request)
{
    return challenge(r, request, HTTP_UNAUTHORIZED, ", error=\"invalid_token\"",
                     "The bearer token is not valid.");
}

static int has_bearer_scheme(const char *credentials)
{
    const size_t length = sizeof(BEARER) - 1;

    return strcspn(credentials, " \t,") == length && !ap_cstr_casecmpn(credentials, BEARER, length);
}

/* Whether a field that begins with another scheme was joined with one of ours: httpd has made one
 * value of two fields, with ", ". */
static int has_second_bearer(const char *authorization)
{
    const char *comma = authorization;

    while ((comma = strchr(comma, ',')) != NULL) {
        comma += 1 + strspn(comma + 1, " \t");
        if (has_bearer_scheme(comma)) {
            return 1;
        }
    }
    return 0;
}

/* The token of an Authorization value; something that is none where the scheme is Bearer without
 * exactly one, also for two fields, since no token holds a comma; NULL where it is another scheme.
 */
static const char *bearer_token(const char *authorization)
{
    if (!authorization) {
        return NULL;
    }
    if (!has_bearer_scheme(authorization)) {
        return has_second_bearer(authorization) ? "" : NULL;
    }
    authorization += sizeof(BEARER) - 1;
    return authorization + strspn(authorization, " ");
}

int hs_auth_refuse_without_type(request_rec *r)
{
    hs_request *request = hs_request_get(r);

    if (!request || ap_auth_type(r)) {
        return DECLINED;
    }
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                  "HS0020: no AuthType for %s: add AuthType Bearer and Require help-support, or "
                  "another AuthType, to its <Location> (request %s)",
                  r->uri, hs_http_request_id(r));
    return hs_request_refuse(
        request,
        hs_problem_make(HTTP_FORBIDDEN, "Authentication is not configured here.", r->pool));
}

/* Ask the cache, then the database, what `digest` stands for. */
static hs_error *look_up(request_rec *r, const hs_request *request, const char *digest,
                         hs_token_answer *answer)
{
    hs_database *database = request->server->database;
    apr_time_t asked_us = apr_time_now(); /* it may be revoked before the answer is here */
    hs_admin_token *token = NULL;
    hs_error *error;

    if (!database) {
        return hs_error_make(r->pool, HS_UNAVAILABLE, "this process could not open its database");
    }
    if (hs_token_cache_get(database->tokens, answer, digest, asked_us)) {
        return NULL;
    }
    error = hs_store_token_find(database->store, &token, digest, r->pool);
    if (error && error->code != HS_NOT_FOUND) {
        return error;
    }
    hs_token_cache_put(database->tokens, answer, digest, token, asked_us);
    return NULL;
}

int hs_auth_check_bearer(request_rec *r)
{
    hs_request *request = hs_request_get(r);
    const char *token;
    char digest[HS_TOKEN_DIGEST_SIZE];
    hs_token_answer answer = {0};
    hs_error *error;

    if (!request || !is_bearer(r)) {
        return DECLINED;
    }
    token = bearer_token(apr_table_get(r->headers_in, "Authorization"));
    if (!token) {
        return challenge(r, request, HTTP_UNAUTHORIZED, "", "A bearer token is needed.");
    }
    if (!hs_token_is_well_formed(token)) {
        return refuse_token(r, request);
    }
    hs_token_digest(digest, token, r->pool);
    error = look_up(r, request, digest, &answer);
    if (error) {
        return hs_request_fail(r, request, error);
    }
    if (!answer.is_known) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                      "HS0021: unknown, expired or revoked token, digest %.*s... (request %s)",
                      LOGGED_DIGITS, digest, hs_http_request_id(r));
        return refuse_token(r, request);
    }
    r->user = apr_pstrdup(r->pool, answer.name);
    r->ap_auth_type = (char *)apr_pstrdup(r->pool, BEARER);
    request->scopes = answer.scopes;
    request->token_digest = apr_pstrdup(r->pool, digest);
    return OK;
}

int hs_auth_force_authn(request_rec *r)
{
    const hs_request *request = hs_request_get(r);

    /* "Require all granted" would let an admin operation in without looking at its token; under a
     * foreign AuthType asking for any valid login would make an admin of everyone in the directory
     */
    return request && is_admin_operation(request) && is_bearer(r) ? OK : DECLINED;
}

int hs_auth_note_proof(request_rec *r)
{
    hs_request *request = hs_request_get(r);

    /* Core comes here only after a check_user_id of this very request. r->user and r->ap_auth_type
     * prove nothing: mod_ssl sets both from a self-made certificate, and without an AuthType core
     * takes a preset user (all tried). */
    if (request && ap_auth_type(r)) {
        request->is_authenticated = 1;
        if (!request->token_digest) {
            request->scopes = HS_SCOPE_READ | HS_SCOPE_WRITE;
        }
    }
    return DECLINED;
}

int hs_auth_log_token_use(request_rec *r)
{
    const hs_request *request = hs_request_get(r);
    hs_database *database;
    hs_error *error;

    if (!request || !request->token_digest || !request->server->database) {
        return DECLINED;
    }
    database = request->server->database;
    if (!hs_token_cache_note_use(database->tokens, request->token_digest, apr_time_now())) {
        return DECLINED;
    }
    error = hs_store_token_used(database->store, request->token_digest, r->pool);
    if (error) {
        /* losing it is harmless, and a database in trouble has its own lines */
        ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, r, "HS0022: last use of a token not noted: %s",
                      error->text);
    }
    return DECLINED;
}

/* ---- authorization ---- */

/* The words of a Require line as bits 1 << hs_operation; 0: none were written. */
static const char *parse_require(cmd_parms *cmd, const char *line, const void **parsed)
{
    static const struct {
        const char *word;
        hs_operation operation;
    } words[] = {{"submit", HS_OP_SUBMIT}, {"read", HS_OP_READ}, {"write", HS_OP_WRITE}};
    unsigned *granted = apr_pcalloc(cmd->pool, sizeof(*granted));

    while (*line) {
        const char *word = ap_getword_conf(cmd->pool, &line);
        unsigned before = *granted;

        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
            if (!ap_cstr_casecmp(word, words[i].word)) {
                *granted |= 1u << words[i].operation;
            }
        }
        if (*granted == before) {
            return apr_psprintf(cmd->pool,
                                "Require help-support: '%s' is none of submit, read, write, or "
                                "written twice",
                                word);
        }
    }
    *parsed = granted;
    return NULL;
}

static authz_status check_require(request_rec *r, const char *line, const void *parsed)
{
    const hs_request *request = hs_request_get(r);
    unsigned granted = *(const unsigned *)parsed;
    hs_operation operation;

    (void)line;
    if (!request) {
        return AUTHZ_DENIED;
    }
    operation = request->route.operation;
    if (operation == HS_OP_NONE || operation == HS_OP_OPTIONS) {
        return AUTHZ_GRANTED;
    }
    if (!granted) {
        /* without words: under a foreign AuthType reading and writing must be named, see the
         * contract */
        granted = 1u << HS_OP_SUBMIT;
        if (is_bearer(r)) {
            granted |= 1u << HS_OP_READ | 1u << HS_OP_WRITE;
        }
    }
    if (operation == HS_OP_SUBMIT) {
        return granted & 1u << HS_OP_SUBMIT ? AUTHZ_GRANTED : AUTHZ_DENIED;
    }
    if (!request->is_authenticated) {
        return AUTHZ_DENIED_NO_USER;
    }
    return granted & 1u << operation ? AUTHZ_GRANTED : AUTHZ_DENIED;
}

const authz_provider hs_auth_require = {check_require, parse_require};

/* The request that was authenticated for this one, or NULL. Core does not ask again for a
 * subrequest or an internal redirect in the same place, so look at the request that it was asked
 * for; that one has the token's scopes, too. */
static const hs_request *find_proof(const request_rec *r)
{
    const request_rec *origin = r->main ? r->main : r->prev;
    const hs_request *request = hs_request_get(r);
    const hs_request *first = origin ? hs_request_get(origin) : NULL;

    if (request->is_authenticated) {
        return request;
    }
    return first && first->is_authenticated && origin->per_dir_config == r->per_dir_config &&
                   first->route.operation == request->route.operation
               ? first
               : NULL;
}

int hs_auth_check_operation(request_rec *r, hs_request *request)
{
    unsigned needed = request->route.operation == HS_OP_WRITE ? HS_SCOPE_WRITE : HS_SCOPE_READ;
    const hs_request *proof = find_proof(r);

    if (!proof) {
        ap_log_rerror(
            APLOG_MARK, APLOG_ERR, 0, r,
            "HS0023: refused: nothing has authenticated this request; set an AuthType and "
            "a Require that asks for a user, such as AuthType Bearer and "
            "Require help-support, in its <Location> (request %s)",
            hs_http_request_id(r));
        return hs_request_refuse(
            request,
            hs_problem_make(HTTP_FORBIDDEN,
                            "This needs authentication, which is not configured here.", r->pool));
    }
    if ((proof->scopes & needed) != needed) {
        return challenge(r, request, HTTP_FORBIDDEN,
                         needed == HS_SCOPE_WRITE
                             ? ", error=\"insufficient_scope\", scope=\"write\""
                             : ", error=\"insufficient_scope\", scope=\"read\"",
                         "The bearer token does not allow this.");
    }
    return OK;
}
