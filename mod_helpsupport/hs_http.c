/* hs_http.c - layer 10: bodies and answers: the only brigade code. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_http.h"

#include "hs_log.h"

#include <apr_buckets.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>
#include <util_filter.h>

#include <string.h>

#define READ_BYTES 16384
#define FIRST_BYTES 2048 /* for a body of unknown length; most tickets are shorter */

const char *hs_http_request_id(request_rec *r)
{
    if (!r->log_id) {
        ap_run_generate_log_id(r->connection, r, &r->log_id);
    }
    return r->log_id ? r->log_id : "-";
}

/* Step over optional white space (RFC 9110 5.6.3). */
static const char *skip_ows(const char *s)
{
    while (*s == ' ' || *s == '\t') {
        s++;
    }
    return s;
}

int hs_http_is_json(const char *content_type)
{
    const char *s;

    if (!content_type || ap_cstr_casecmpn(content_type, "application/json", 16) != 0) {
        return 0;
    }
    s = skip_ows(content_type + 16);
    if (!*s) {
        return 1;
    }
    if (*s != ';') {
        return 0;
    }
    s = skip_ows(s + 1);
    if (ap_cstr_casecmpn(s, "charset=", 8) != 0) {
        return !*s;
    }
    s += 8;
    if (!ap_cstr_casecmpn(s, "utf-8", 5)) {
        return !*skip_ows(s + 5);
    }
    return !ap_cstr_casecmpn(s, "\"utf-8\"", 7) && !*skip_ows(s + 7);
}

/* The announced length, -1 where there is none. httpd has refused a malformed one already. */
static apr_off_t content_length(request_rec *r)
{
    const char *field = apr_table_get(r->headers_in, "Content-Length");
    apr_off_t length = -1;

    if (!field || apr_table_get(r->headers_in, "Transfer-Encoding") ||
        apr_strtoff(&length, field, NULL, 10) != APR_SUCCESS) {
        return -1;
    }
    return length;
}

/* A limit of the administrator's own (LimitRequestBody) may be the narrower one; checked here, so
 * that its 413 comes before the body too and not from the middle of reading. */
static apr_off_t narrower_limit(request_rec *r, apr_off_t max_bytes)
{
    apr_off_t core_bytes = ap_get_limit_req_body(r);

    return core_bytes > 0 && core_bytes < max_bytes ? core_bytes : max_bytes;
}

void hs_http_close_if_unread(request_rec *r, apr_off_t max_bytes)
{
    if (apr_table_get(r->headers_in, "Transfer-Encoding") ||
        content_length(r) > narrower_limit(r, max_bytes)) {
        r->connection->keepalive = AP_CONN_CLOSE;
    }
}

/* Append the data of `bb` to `body`. *at_end tells whether the body ends here. */
static int take_data(apr_bucket_brigade *bb, hs_buffer *body, apr_off_t max_bytes, int *at_end)
{
    for (apr_bucket *b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb);
         b = APR_BUCKET_NEXT(b)) {
        const char *data;
        apr_size_t length;

        if (APR_BUCKET_IS_EOS(b)) {
            *at_end = 1;
            return OK;
        }
        if (APR_BUCKET_IS_METADATA(b)) {
            continue;
        }
        if (apr_bucket_read(b, &data, &length, APR_BLOCK_READ) != APR_SUCCESS) {
            return HTTP_BAD_REQUEST;
        }
        if ((apr_off_t)(body->length + length) > max_bytes) {
            return HTTP_REQUEST_ENTITY_TOO_LARGE;
        }
        hs_buffer_append(body, data, length);
    }
    return OK;
}

static int read_status(apr_status_t rv)
{
    if (rv == AP_FILTER_ERROR) {
        return AP_FILTER_ERROR;
    }
    return APR_STATUS_IS_TIMEUP(rv) ? HTTP_REQUEST_TIME_OUT
                                    : ap_map_http_request_error(rv, HTTP_BAD_REQUEST);
}

int hs_http_read_body(request_rec *r, apr_off_t max_bytes, const char **body, apr_size_t *length)
{
    apr_bucket_brigade *bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    apr_off_t announced = content_length(r);
    hs_buffer buffer;
    int at_end = 0;

    max_bytes = narrower_limit(r, max_bytes);
    if (announced > max_bytes) {
        return HTTP_REQUEST_ENTITY_TOO_LARGE;
    }
    /* a filter may lengthen the body (inflate), so the announced length is but a first guess */
    hs_buffer_init(&buffer, announced > 0 ? (apr_size_t)announced + 1 : FIRST_BYTES, r->pool);
    while (!at_end) {
        apr_status_t rv =
            ap_get_brigade(r->input_filters, bb, AP_MODE_READBYTES, APR_BLOCK_READ, READ_BYTES);
        int status =
            rv == APR_SUCCESS ? take_data(bb, &buffer, max_bytes, &at_end) : read_status(rv);

        if (status != OK) {
            return status;
        }
        apr_brigade_cleanup(bb);
    }
    *body = buffer.data;
    *length = buffer.length;
    return OK;
}

void hs_http_put_common(apr_table_t *headers)
{
    apr_table_setn(headers, "Cache-Control", "no-store");
    apr_table_setn(headers, "X-Content-Type-Options", "nosniff");
}

/* A pool bucket: nothing is copied, and where the answer outlives the pool it copies itself. */
static void put_body(apr_bucket_brigade *bb, const hs_buffer *body, apr_pool_t *pool)
{
    APR_BRIGADE_INSERT_TAIL(
        bb, apr_bucket_pool_create(body->data, body->length, pool, bb->bucket_alloc));
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(bb->bucket_alloc));
}

int hs_http_send_json(request_rec *r, const hs_buffer *body)
{
    apr_bucket_brigade *bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);

    /* RFC 9110 14.2 lets a server ignore it; several ranges would be another media type */
    apr_table_unset(r->headers_in, "Range");
    ap_set_content_type(r, "application/json");
    ap_set_content_length(r, (apr_off_t)body->length);
    put_body(bb, body, r->pool);
    return ap_pass_brigade(r->output_filters, bb) == APR_SUCCESS ? OK : AP_FILTER_ERROR;
}

apr_status_t hs_http_replace(ap_filter_t *f, apr_bucket_brigade *bb, const hs_buffer *body)
{
    apr_brigade_cleanup(bb);
    put_body(bb, body, f->r->pool);
    return ap_pass_brigade(f->next, bb);
}
