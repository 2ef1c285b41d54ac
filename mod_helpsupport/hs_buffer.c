/* hs_buffer.c - layer 1: a growing octet string in a pool. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_buffer.h"

#define INT64_DIGITS 20 /* of -2^63, with its sign */

void hs_buffer_init(hs_buffer *buffer, apr_size_t capacity, apr_pool_t *pool)
{
    buffer->data = apr_palloc(pool, capacity + 1);
    buffer->data[0] = '\0';
    buffer->length = 0;
    buffer->capacity = capacity;
    buffer->pool = pool;
}

void hs_buffer_grow(hs_buffer *buffer, apr_size_t more)
{
    apr_size_t needed = buffer->length + more;
    apr_size_t doubled = buffer->capacity * 2;
    apr_size_t capacity = needed > doubled ? needed : doubled;
    char *data = apr_palloc(buffer->pool, capacity + 1);

    memcpy(data, buffer->data, buffer->length + 1);
    buffer->data = data;
    buffer->capacity = capacity;
}

void hs_buffer_put_number(hs_buffer *buffer, apr_int64_t number)
{
    char digits[INT64_DIGITS];
    apr_size_t at = INT64_DIGITS;
    /* Unsigned, since -2^63 has no positive counterpart. */
    apr_uint64_t rest = number < 0 ? 0 - (apr_uint64_t)number : (apr_uint64_t)number;

    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (number < 0) {
        digits[--at] = '-';
    }
    hs_buffer_append(buffer, digits + at, INT64_DIGITS - at);
}
