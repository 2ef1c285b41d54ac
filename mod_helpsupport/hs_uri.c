/* hs_uri.c - layer 2: percent-encoding (RFC 3986) and query strings decoded as forms. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_uri.h"

#include "hs_utf8.h"

#include <string.h>

static int hex_value(char octet)
{
    if (octet >= '0' && octet <= '9') {
        return octet - '0';
    }
    if (octet >= 'a' && octet <= 'f') {
        return octet - 'a' + 10;
    }
    return octet >= 'A' && octet <= 'F' ? octet - 'A' + 10 : -1;
}

/* One octet of form-encoded text; moves *text (not at `end`) behind it. Returns -1 where a percent
 * sign is not followed by two hex digits. */
static int decode_octet(const char **text, const char *end)
{
    const char *from = *text;
    int high;
    int low;

    if (*from != '%') {
        *text = from + 1;
        return *from == '+' ? ' ' : (unsigned char)*from;
    }
    if (end - from < 3) {
        return -1;
    }
    high = hex_value(from[1]);
    low = hex_value(from[2]);
    *text = from + 3;
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static const char *decode_form(const char *text, const char *end, apr_pool_t *pool)
{
    char *out = apr_palloc(pool, (apr_size_t)(end - text) + 1);
    apr_size_t length = 0;

    while (text < end) {
        int octet = decode_octet(&text, end);

        /* NUL too: C strings would silently lose what follows it. */
        if (octet <= 0) {
            return NULL;
        }
        out[length++] = (char)octet;
    }
    out[length] = '\0';
    return hs_utf8_is_valid(out, length) ? out : NULL;
}

static int add_pair(apr_array_header_t *pairs, const char *piece, const char *end)
{
    const char *equals = memchr(piece, '=', (apr_size_t)(end - piece));
    const char *name = decode_form(piece, equals ? equals : end, pairs->pool);
    const char *value = equals ? decode_form(equals + 1, end, pairs->pool) : "";
    hs_uri_pair *pair;

    if (!name || !value) {
        return 0;
    }
    pair = apr_array_push(pairs);
    pair->name = name;
    pair->value = value;
    return 1;
}

apr_array_header_t *hs_uri_query(const char *query, apr_pool_t *pool)
{
    apr_array_header_t *pairs = apr_array_make(pool, 8, sizeof(hs_uri_pair));
    const char *piece = query ? query : "";

    while (*piece) {
        const char *end = piece + strcspn(piece, "&");

        if (end > piece && !add_pair(pairs, piece, end)) {
            return NULL;
        }
        piece = *end ? end + 1 : end;
    }
    return pairs;
}

static int is_unreserved(char octet)
{
    return (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z') ||
           (octet >= '0' && octet <= '9') || octet == '-' || octet == '.' || octet == '_' ||
           octet == '~';
}

/* Encode all but unreserved characters and those in `also`. */
static const char *encode(const char *text, const char *also, apr_pool_t *pool)
{
    static const char hex[] = "0123456789ABCDEF";
    char *out = apr_palloc(pool, strlen(text) * 3 + 1);
    char *to = out;

    for (; *text; text++) {
        unsigned char octet = (unsigned char)*text;

        if (is_unreserved(*text) || strchr(also, *text)) {
            *to++ = *text;
            continue;
        }
        *to++ = '%';
        *to++ = hex[octet >> 4];
        *to++ = hex[octet & 0x0F];
    }
    *to = '\0';
    return out;
}

const char *hs_uri_encode(const char *text, apr_pool_t *pool)
{
    return encode(text, "", pool);
}

const char *hs_uri_encode_path(const char *path, apr_pool_t *pool)
{
    return encode(path, "/:@!$&'()*+,;=", pool);
}
