/* hs_json.h - layer 4: JSON octets <-> structs (jansson reads; no json_t leaves this file). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_JSON_H
#define HS_JSON_H

#include "hs_buffer.h"
#include "hs_ticket.h"

/* What happened to a ticket (contract 1.5). Members that an event does not have are NULL. */
typedef struct hs_event {
    apr_time_t at_us;
    const char *event; /* "created", "status", "mail" */
    const char *from;  /* status: names of statuses, and who did it */
    const char *to;
    const char *by;
    const char *kind;   /* mail: "confirmation" */
    const char *state;  /* mail: "queued", "sent", "failed", "suppressed" */
    const char *detail; /* mail: why; "" where there is nothing to say */
} hs_event;

/* Read a request body. Strings land in `pool`. Returns HS_MALFORMED (400), its text fit for the
 * client's `detail`, for all that contract 1.1 names: not JSON, invalid UTF-8, a BOM, NUL, lone
 * surrogates, duplicate members, trailing octets, not an object. Thread: any. */
hs_error *hs_json_read_submission(hs_submission *submission, const char *body, apr_size_t length,
                                  apr_pool_t *pool) HS_MUSTCHECK;

/* Append one JSON string, quotes included; `text` is valid UTF-8, NULL appends null. Everything
 * below U+0020, the quote, the backslash and U+007F are escaped. */
void hs_json_put_string(hs_buffer *out, const char *text);

/* Append a number to an array of them that `out` holds and nothing else: empty at first. The second
 * ends the array, which may have none. */
void hs_json_add_number(hs_buffer *out, apr_int64_t number);
void hs_json_end_numbers(hs_buffer *out);

/* Append the eight members of the 201 answer, in the contract's order. */
void hs_json_put_submitted(hs_buffer *out, const hs_ticket *ticket);

/* Append the eight members, then number and user_id. */
void hs_json_put_ticket(hs_buffer *out, const hs_ticket *ticket);

/* Append an array of tickets (of const hs_ticket *), of events (of hs_event). */
void hs_json_put_tickets(hs_buffer *out, const apr_array_header_t *tickets);
void hs_json_put_events(hs_buffer *out, const apr_array_header_t *events);

/* Append a problem object (RFC 9457): type, title, status, detail, instance, errors. */
void hs_json_put_problem(hs_buffer *out, const hs_problem *problem);

#endif
