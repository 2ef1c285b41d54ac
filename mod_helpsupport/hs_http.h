/* hs_http.h - layer 10: bodies and answers: the only brigade code. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_HTTP_H
#define HS_HTTP_H

#include "hs_buffer.h"

#include <httpd.h>
#include <util_filter.h>

/* The request's id, for the log and `instance`: mod_unique_id's where that is loaded, else httpd's
 * own (%L). */
const char *hs_http_request_id(request_rec *r);

/* Whether a Content-Type field value is JSON: application/json, with nothing but charset=utf-8.
 * NULL isn't. */
int hs_http_is_json(const char *content_type);

/* Read the body, at most `max_bytes` of it, in r->pool. A Content-Length over the limit is refused
 * before the first read, so that a client which waits for 100 (Continue) doesn't send. Returns OK
 * with *body (NUL-terminated) and *length; else 400 cut off, 408 too slow, 413 too large; or
 * AP_FILTER_ERROR: an input filter has answered already, the handler must return just that. Thread:
 * the request's. */
int hs_http_read_body(request_rec *r, apr_off_t max_bytes, const char **body, apr_size_t *length);

/* For an answer given before the body was read: close the connection where the rest would be more
 * than `max_bytes` or of unknown length, since httpd would read and discard all of it (300 MB:
 * tried). */
void hs_http_close_if_unread(request_rec *r, apr_off_t max_bytes);

/* Send `body`, which must live in r->pool, as the whole answer, with its type and length; the other
 * headers are the caller's. Returns OK or AP_FILTER_ERROR, for the handler to return. */
int hs_http_send_json(request_rec *r, const hs_buffer *body);

/* Put Cache-Control and X-Content-Type-Options into `headers`: on every answer. */
void hs_http_put_common(apr_table_t *headers);

/* Replace what is in `bb` by `body` and an end of stream; for the error filter. */
apr_status_t hs_http_replace(ap_filter_t *f, apr_bucket_brigade *bb, const hs_buffer *body);

#endif
