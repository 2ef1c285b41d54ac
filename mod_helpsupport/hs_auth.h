/* hs_auth.h - layer 14: AuthType Bearer, Require help-support, proof of authentication (contract
 * 4). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_AUTH_H
#define HS_AUTH_H

#include "hs_request.h"

#include <mod_auth.h>

/* Require help-support [submit] [read] [write]. */
extern const authz_provider hs_auth_require;

/* Hooks. */
int hs_auth_refuse_without_type(
    request_rec *r);                      /* check_authn, first: 403 where there is no AuthType */
int hs_auth_check_bearer(request_rec *r); /* check_authn: AuthType Bearer */
int hs_auth_force_authn(request_rec *r);
int hs_auth_note_proof(request_rec *r); /* check_authz, really first: a check_user_id has said OK */
int hs_auth_log_token_use(request_rec *r); /* log_transaction: after the answer */

/* Whether this request may do `operation` (read or write): OK, or the status to answer, the reason
 * in *request and, where the configuration is at fault, in the log. Fails closed. */
int hs_auth_check_operation(request_rec *r, hs_request *request);

#endif
