/* hs_store_token.c - layer 7: admin tokens in the database. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_store_token.h"

#include "hs_clock.h"
#include "hs_sql.h"
#include "hs_store_int.h"

/* A write of one or two statements: what each changed. */
typedef struct step {
    int sql;
    const void **values;
    int changed;
} step;

typedef struct steps {
    step *first;
    int count;
    apr_int64_t *now;           /* set when the clock was read */
    apr_int64_t *then;          /* likewise, or NULL */
    apr_interval_time_t offset; /* of *then from *now */
} steps;

/* Stops at a step that changes nothing: what follows depends on it. */
static hs_error *run_steps(hs_store *store, hs_conn *conn, void *baton, apr_pool_t *pool)
{
    steps *all = baton;
    hs_error *error = hs_store_clock(store, conn, all->now, pool);

    if (error) {
        return error;
    }
    if (all->then) {
        *all->then = *all->now + all->offset;
    }
    for (int i = 0; i < all->count; i++) {
        step *one = &all->first[i];

        error =
            hs_conn_query(conn, &one->changed, hs_store_sql(store, one->sql), one->values, pool);
        if (error) {
            return error;
        }
        if (one->changed == 0 && i == 0) {
            hs_db_rollback(store->db, conn);
            return NULL;
        }
    }
    return NULL;
}

static hs_error *write_steps(hs_store *store, steps *all, apr_time_t deadline, apr_pool_t *pool)
{
    return hs_store_outward(hs_store_write(store, run_steps, all, HS_STORE_BLIND, deadline, pool));
}

static hs_admin_token *read_token(const hs_rows *rows, int row, apr_pool_t *pool)
{
    hs_admin_token *token = apr_palloc(pool, sizeof(*token));

    token->digest = hs_rows_text(rows, row, 0);
    token->name = hs_rows_text(rows, row, 1);
    token->scopes = (unsigned)hs_rows_number(rows, row, 2);
    token->created_us = hs_rows_number(rows, row, 3);
    token->expires_us = hs_rows_number(rows, row, 4);
    token->revoked_us = hs_rows_number(rows, row, 5);
    token->last_used_us = hs_rows_number(rows, row, 6);
    return token;
}

/* Who has a digest. */
typedef struct finding {
    const char *digest;
    apr_int64_t now;
    hs_rows *rows;
} finding;

static hs_error *find(hs_store *store, hs_conn *conn, void *baton, apr_pool_t *pool)
{
    finding *self = baton;
    hs_error *error = hs_store_clock(store, conn, &self->now, pool);

    if (error) {
        return error;
    }
    return hs_conn_select(conn, &self->rows, hs_store_sql(store, HS_SQL_TOKEN_FIND),
                          (const void *[]){self->digest, &self->now}, pool);
}

static hs_error *find_token(hs_store *store, hs_admin_token **token, finding *self,
                            apr_pool_t *pool)
{
    hs_error *error = hs_store_read(store, find, self, pool);

    if (error) {
        return error;
    }
    if (self->rows->count == 0) {
        return hs_error_make(pool, HS_NOT_FOUND, "no token that may be used has this digest");
    }
    *token = read_token(self->rows, 0, pool);
    return NULL;
}

hs_error *hs_store_token_find(hs_store *store, hs_admin_token **token, const char *digest,
                              apr_pool_t *pool)
{
    finding self = {.digest = digest};

    return find_token(store, token, &self, pool);
}

/* Without a wait for the turn to write or for a connection: whoever reads must not be held up by a
 * note. */
hs_error *hs_store_token_used(hs_store *store, const char *digest, apr_pool_t *pool)
{
    apr_int64_t now;
    apr_int64_t before;
    step use = {.sql = HS_SQL_TOKEN_USED, .values = (const void *[]){&now, digest, &before}};
    steps all = {&use, 1, &now, &before, -HS_TOKEN_USED_US};

    return write_steps(store, &all, hs_clock_now(), pool);
}

hs_error *hs_store_token_create(hs_store *store, const hs_admin_token *token, apr_pool_t *pool)
{
    apr_int64_t now;
    apr_int64_t scopes = token->scopes;
    apr_int64_t expires_us = token->expires_us;
    step create = {.sql = HS_SQL_TOKEN_CREATE,
                   .values = (const void *[]){token->digest, token->name, &scopes, &now,
                                              &expires_us, token->name, &now}};
    steps all = {.first = &create, .count = 1, .now = &now};
    hs_error *error = write_steps(store, &all, hs_db_deadline(store->db), pool);

    if (!error && create.changed == 0) {
        return hs_error_make(pool, HS_INVALID, "a token of the name \"%s\" is in use", token->name);
    }
    return error;
}

hs_error *hs_store_token_list(hs_store *store, apr_array_header_t **tokens, apr_pool_t *pool)
{
    hs_rows *rows;
    hs_error *error = hs_store_select(store, &rows, HS_SQL_TOKEN_LIST, NULL, pool);

    if (error) {
        return error;
    }
    *tokens = apr_array_make(pool, rows->count, sizeof(const hs_admin_token *));
    for (int row = 0; row < rows->count; row++) {
        APR_ARRAY_PUSH(*tokens, const hs_admin_token *) = read_token(rows, row, pool);
    }
    return NULL;
}

static hs_error *not_found(const char *name, apr_pool_t *pool)
{
    return hs_error_make(pool, HS_NOT_FOUND, "no token of the name \"%s\" is in use", name);
}

hs_error *hs_store_token_revoke(hs_store *store, const char *name, apr_pool_t *pool)
{
    apr_int64_t now;
    step revoke = {.sql = HS_SQL_TOKEN_REVOKE, .values = (const void *[]){&now, name, &now}};
    steps all = {.first = &revoke, .count = 1, .now = &now};
    hs_error *error = write_steps(store, &all, hs_db_deadline(store->db), pool);

    return !error && revoke.changed == 0 ? not_found(name, pool) : error;
}

hs_error *hs_store_token_rotate(hs_store *store, const char *name, const char *new_digest,
                                apr_interval_time_t grace_us, apr_pool_t *pool)
{
    apr_int64_t now;
    apr_int64_t end_us;
    step both[] = {
        {.sql = HS_SQL_TOKEN_RENEW, .values = (const void *[]){new_digest, &now, &now, name, &now}},
        {.sql = HS_SQL_TOKEN_END, .values = (const void *[]){&end_us, name, new_digest, &end_us}},
    };
    steps all = {both, 2, &now, &end_us, grace_us};
    hs_error *error = write_steps(store, &all, hs_db_deadline(store->db), pool);

    return !error && both[0].changed == 0 ? not_found(name, pool) : error;
}
