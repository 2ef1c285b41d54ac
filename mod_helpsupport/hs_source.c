/* hs_source.c - layer 2: a text file written by the administrator, and where in it an error is. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_source.h"

#include "hs_utf8.h"

#include <apr_strings.h>

#include <string.h>

hs_error *hs_source_error(const hs_source *source, apr_size_t offset, const char *what,
                          apr_pool_t *pool)
{
    int line = 1;
    int column = 1;
    apr_size_t i;

    for (i = 0; i < offset; i++) {
        column += ((unsigned char)source->text[i] & 0xC0) != 0x80;
        if (source->text[i] == '\n') {
            line++;
            column = 1;
        }
    }
    return hs_error_make(pool, HS_CONFIGURATION, "%s:%d:%d: %s", source->file, line, column, what);
}

static void copy_text(hs_source *source, const char *text, apr_size_t length, apr_pool_t *pool)
{
    char *copy = apr_palloc(pool, length + 1);
    apr_size_t i = length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;

    for (; i < length; i++) {
        if (text[i] != '\r' || i + 1 == length || text[i + 1] != '\n') {
            copy[source->length++] = text[i];
        }
    }
    copy[source->length] = '\0';
    source->text = copy;
}

/* Octets of the well-formed character at `at`; 0 if there is none. */
static apr_size_t character_length(const hs_source *source, apr_size_t at)
{
    apr_size_t n;

    for (n = 1; n <= 4 && at + n <= source->length; n++) {
        if (hs_utf8_is_valid(source->text + at, n)) {
            return n;
        }
    }
    return 0;
}

static int is_control(const char *character, apr_size_t length)
{
    unsigned char first = (unsigned char)character[0];

    if (length == 2) {
        return first == 0xC2 && (unsigned char)character[1] < 0xA0;
    }
    return (first < 0x20 && first != '\t' && first != '\n') || first == 0x7F;
}

hs_error *hs_source_read(hs_source *source, const char *file, const char *text, apr_size_t length,
                         apr_size_t max, apr_pool_t *pool)
{
    apr_size_t at;
    apr_size_t n;

    source->file = apr_pstrdup(pool, file);
    source->text = "";
    source->length = 0;
    if (length > max) {
        return hs_source_error(
            source, 0, apr_psprintf(pool, "larger than %" APR_SIZE_T_FMT " octets", max), pool);
    }
    copy_text(source, text, length, pool);
    for (at = 0; at < source->length; at += n) {
        n = character_length(source, at);
        if (n == 0) {
            return hs_source_error(source, at, "this is not UTF-8", pool);
        }
        if (is_control(source->text + at, n)) {
            return hs_source_error(source, at, "this is a control character", pool);
        }
    }
    return NULL;
}
