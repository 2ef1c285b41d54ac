/* hs_ticket.h - layer 3: the ticket, its statuses, what a submission must be. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_TICKET_H
#define HS_TICKET_H

#include "hs_problem.h"
#include "hs_uuid.h"

#include <apr_time.h>

typedef enum hs_status {
    HS_STATUS_OPEN = 0,
    HS_STATUS_PENDING,
    HS_STATUS_RESOLVED,
    HS_STATUS_CLOSED
} hs_status;
#define HS_STATUS_COUNT 4

typedef struct hs_ticket {
    const char *id;     /* UUIDv7, lower case */
    apr_int64_t number; /* 1 and up, given by the database; 0 before that */
    const char *user_id;
    const char *name;
    const char *phone_number;
    const char *email; /* normalized: hs_email.h */
    const char *message;
    hs_status status;
    apr_int64_t version; /* 1 when created, one more with each change */
    apr_time_t created_us;
    apr_time_t updated_us;
} hs_ticket;

/* How a caller names a ticket: exactly one is set. */
typedef struct hs_ticket_ref {
    const char *id;     /* UUID in lower case, or NULL */
    apr_int64_t number; /* 1 and up where id is NULL */
} hs_ticket_ref;

/* A body member as it was sent. */
typedef struct hs_member {
    enum { HS_MEMBER_ABSENT = 0, HS_MEMBER_NOT_STRING, HS_MEMBER_STRING } kind;
    const char *text; /* valid UTF-8 without NUL where kind is HS_MEMBER_STRING */
} hs_member;

typedef struct hs_submission {
    hs_member name;
    hs_member phone_number;
    hs_member email;
    hs_member message;
} hs_submission;

/* Status <-> its name in the API. hs_status_parse returns 1, or 0 where `name` is none of the four.
 */
const char *hs_status_name(hs_status status);
int hs_status_parse(hs_status *status, const char *name);

/* Read "42" or a UUID in either case (contract 1.2). Returns 1 with *ref (id in `pool`), or 0 where
 * it can't name a ticket ("042", "+1", 19 digits), so that the caller answers 404 without the
 * database. */
int hs_ticket_ref_parse(hs_ticket_ref *ref, const char *text, apr_pool_t *pool);

/* Whether `ref` names `ticket`. */
int hs_ticket_is_named(const hs_ticket *ticket, const hs_ticket_ref *ref);

/* Check `user_id` (already percent-decoded) by contract 1.1; adds to `problem` what is wrong. */
void hs_ticket_check_user_id(hs_problem *problem, const char *user_id);

/* Check the four members by contract 1.1, put the trimmed and normalized values into `ticket` (in
 * `pool`; status open, version 1; id, user_id, number and times are the caller's), and add every
 * failing member to `problem`. Thread: any. */
void hs_ticket_accept(hs_ticket *ticket, hs_problem *problem, const hs_submission *submission,
                      apr_pool_t *pool);

/* SHA-256, in hex, of the four stored members, each with its length, so that moving text between
 * members changes it: what an idempotency key is compared by. In `pool`. Thread: any. */
const char *hs_ticket_digest(const hs_ticket *ticket, apr_pool_t *pool);

/* The strong ETag, quotes included: "number-version". In `pool`. */
const char *hs_ticket_etag(const hs_ticket *ticket, apr_pool_t *pool);

/* Whether an If-Match (`weak_ok` 0) or If-None-Match (1) field value matches `etag`: "*", or a
 * list; a weak tag matches only with weak_ok; "-gzip" and "-br" that a compressing filter appended
 * before the closing quote are passed over (RFC 9110 13.1). Malformed lists match nothing. */
int hs_ticket_etag_matches(const char *field, const char *etag, int weak_ok);

#endif
