/* hs_store_token.h - layer 7: admin tokens in the database. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_STORE_TOKEN_H
#define HS_STORE_TOKEN_H

#include "hs_store.h"
#include "hs_token.h"

#define HS_SCOPE_READ 1u
#define HS_SCOPE_WRITE 3u /* write includes read */

typedef struct hs_admin_token {
    const char *digest; /* SHA-256 of the secret in lower-case hex: the key */
    const char
        *name; /* 1-64 octets; after a rotation two tokens may have it until the old one expires */
    unsigned scopes; /* HS_SCOPE_* */
    apr_time_t created_us;
    apr_time_t expires_us;   /* 0: never */
    apr_time_t revoked_us;   /* 0: no */
    apr_time_t last_used_us; /* 0: never; a minute coarse */
} hs_admin_token;

/* The token of a digest that may be used now: not revoked, not expired by the database's clock.
 * HS_NOT_FOUND where there is none. Thread: any, as for all calls here. */
hs_error *hs_store_token_find(hs_store *store, hs_admin_token **token, const char *digest,
                              apr_pool_t *pool) HS_MUSTCHECK;

/* How exactly it is known when a token was last used. */
#define HS_TOKEN_USED_US apr_time_from_sec(60)

/* Note that the token was used now, if the stored time is older than HS_TOKEN_USED_US. Waits for no
 * other writer of an SQLite file and for no connection that others have: it fails then, and losing
 * the note is harmless. */
hs_error *hs_store_token_used(hs_store *store, const char *digest, apr_pool_t *pool) HS_MUSTCHECK;

/* Store a new token: digest, name, scopes, expires_us are set. HS_INVALID where a token of that
 * name is usable already. */
hs_error *hs_store_token_create(hs_store *store, const hs_admin_token *token,
                                apr_pool_t *pool) HS_MUSTCHECK;

/* All tokens, by name, then age, as an array of const hs_admin_token *. */
hs_error *hs_store_token_list(hs_store *store, apr_array_header_t **tokens,
                              apr_pool_t *pool) HS_MUSTCHECK;

/* Revoke every usable token of `name`. HS_NOT_FOUND where there is none. */
hs_error *hs_store_token_revoke(hs_store *store, const char *name, apr_pool_t *pool) HS_MUSTCHECK;

/* In one transaction: let the usable token of `name` expire in `grace_us` (unless it does sooner)
 * and store a new one with its name, scopes and period. HS_NOT_FOUND where there is none. */
hs_error *hs_store_token_rotate(hs_store *store, const char *name, const char *new_digest,
                                apr_interval_time_t grace_us, apr_pool_t *pool) HS_MUSTCHECK;

#endif
