/* hs_buffer.h - layer 1: a growing octet string in a pool. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_BUFFER_H
#define HS_BUFFER_H

#include <apr_pools.h>

#include <string.h>

/* `data` always ends in a NUL that neither `length` nor `capacity` counts. Growing leaves the old
 * block in the pool until that is cleared, so give a `capacity` that usually fits. One thread at a
 * time. The short functions are inline: a list of tickets calls them some ten thousand times. */
typedef struct hs_buffer {
    char *data;
    apr_size_t length;
    apr_size_t capacity;
    apr_pool_t *pool;
} hs_buffer;

/* Start empty with room for `capacity` octets (1 and up) in `pool`. */
void hs_buffer_init(hs_buffer *buffer, apr_size_t capacity, apr_pool_t *pool);

/* Move to a block at least twice as large with room for `more` octets; for hs_buffer_reserve. */
void hs_buffer_grow(hs_buffer *buffer, apr_size_t more);

/* Make room for `more` octets (and a NUL) and return where they go; the caller fills them, adds to
 * `length` what it wrote and puts the NUL behind it. */
static inline char *hs_buffer_reserve(hs_buffer *buffer, apr_size_t more)
{
    if (buffer->capacity - buffer->length < more) {
        hs_buffer_grow(buffer, more);
    }
    return buffer->data + buffer->length;
}

/* Append `length` octets. They must not lie in the buffer itself. */
static inline void hs_buffer_append(hs_buffer *buffer, const char *octets, apr_size_t length)
{
    char *to = hs_buffer_reserve(buffer, length);

    memcpy(to, octets, length);
    to[length] = '\0';
    buffer->length += length;
}

/* Append a NUL-terminated string. */
static inline void hs_buffer_puts(hs_buffer *buffer, const char *text)
{
    hs_buffer_append(buffer, text, strlen(text));
}

/* Append one octet. */
static inline void hs_buffer_putc(hs_buffer *buffer, char octet)
{
    char *to = hs_buffer_reserve(buffer, 1);

    to[0] = octet;
    to[1] = '\0';
    buffer->length++;
}

/* Append a decimal number. */
void hs_buffer_put_number(hs_buffer *buffer, apr_int64_t number);

#endif
