/* hs_error.h - layer 0: the one error type that every fallible function returns. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_ERROR_H
#define HS_ERROR_H

#include <apr_pools.h>

#define HS_VERSION "0.1.0"

#define HS_MUSTCHECK __attribute__((warn_unused_result))
#define HS_PRINTF(position, first) __attribute__((format(printf, position, first)))

/* What went wrong, for the code; hs_problem maps the ones that reach a client to an HTTP status. */
typedef enum hs_code {
    HS_MALFORMED = 1,   /* the client's octets can't be read (400) */
    HS_INVALID,         /* read, but a value is not acceptable (422) */
    HS_NOT_FOUND,       /* no such ticket, token or row (404) */
    HS_STALE,           /* If-Match names another version (412) */
    HS_KEY_MISMATCH,    /* idempotency key used before with other members (422) */
    HS_UNAVAILABLE,     /* database, pool or disk can't be had in time; nothing was done (503) */
    HS_OUTCOME_UNKNOWN, /* connection lost during COMMIT and no way to look (503, never 201) */
    HS_CONFIGURATION,   /* what the administrator wrote can't work; text says what to change */
    /* the database's own classes; they stay below hs_store */
    HS_DB_UNIQUE, /* a unique index refused the row */
    HS_DB_BUSY,   /* deadlock, serialisation failure, locked: the transaction may be repeated */
    HS_DB_LOST,   /* the connection is gone */
    HS_DB_GONE,   /* … or of no more use, and the statement has surely done nothing */
    HS_DB_SCHEMA, /* the statement no longer fits the schema: reopen and repeat */
    HS_DB_OTHER   /* anything else: disk full, syntax, permission */
} hs_code;

/* Success is NULL. `text` is for the log: what failed and what the administrator can do. It never
 * holds a token, an address or a message. Lives in the pool given to hs_error_make. */
typedef struct hs_error {
    hs_code code;
    const char *text;
} hs_error;

/* Make an error. Thread: any that may use `pool`. Never NULL. */
hs_error *hs_error_make(apr_pool_t *pool, hs_code code, const char *format, ...)
    HS_PRINTF(3, 4) HS_MUSTCHECK;

#endif
