/* hs_language.c - layer 1: which of our languages a reader wants (Accept-Language, RFC 4647). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_language.h"

#include <string.h>

#define QUALITY_MAX 1000 /* q in thousandths */
#define GROUP_MAX 8

/* One element of the list: "de-AT;q=0.8". */
typedef struct range {
    const char *tag;
    apr_size_t length; /* 0: malformed or "*" */
    int quality;
} range;

static int is_digit(char octet)
{
    return octet >= '0' && octet <= '9';
}

static char lower(char octet)
{
    return (char)(octet >= 'A' && octet <= 'Z' ? octet + ('a' - 'A') : octet);
}

static int is_letter(char octet)
{
    return lower(octet) >= 'a' && lower(octet) <= 'z';
}

static int is_blank(char octet)
{
    return octet == ' ' || octet == '\t';
}

int hs_language_is_tag(const char *tag, apr_size_t length)
{
    apr_size_t begin = 0;
    apr_size_t i;

    if (length > HS_LANGUAGE_MAX_OCTETS) {
        return 0;
    }
    for (i = 0; i <= length; i++) {
        if (i == length || tag[i] == '-') {
            if (i - begin < (begin ? 1 : 2) || i - begin > GROUP_MAX) {
                return 0;
            }
            begin = i + 1;
        } else if (!is_letter(tag[i]) && (begin == 0 || !is_digit(tag[i]))) {
            return 0;
        }
    }
    return 1;
}

static int is_same(const char *tag, const char *other, apr_size_t length)
{
    apr_size_t i;

    for (i = 0; i < length && tag[i] && lower(other[i]) == tag[i]; i++) {
    }
    return i == length && tag[i] == '\0';
}

/* Cut the last group, and a single letter ("x") that it would leave at the end. */
static apr_size_t shorten(const char *tag, apr_size_t length)
{
    while (length > 0 && tag[length - 1] != '-') {
        length--;
    }
    length -= length > 0;
    return length >= 2 && tag[length - 2] == '-' ? length - 2 : length;
}

static const char *look_up(const range *wanted, const apr_array_header_t *tags)
{
    apr_size_t length;
    int i;

    for (length = wanted->length; length > 0; length = shorten(wanted->tag, length)) {
        for (i = 0; i < tags->nelts; i++) {
            const char *tag = APR_ARRAY_IDX(tags, i, const char *);

            if (is_same(tag, wanted->tag, length)) {
                return tag;
            }
        }
    }
    return NULL;
}

/* Read "0", "0.5", "1.000" (RFC 9110 12.4.2); returns thousandths, 0 where it is malformed. */
static int read_quality(const char *text, apr_size_t length)
{
    int quality;
    int unit = QUALITY_MAX / 10;
    apr_size_t i;

    if (length == 0 || length > 5 || (text[0] != '0' && text[0] != '1')) {
        return 0;
    }
    quality = (text[0] - '0') * QUALITY_MAX;
    for (i = 1; i < length; i++) {
        if (i == 1 ? text[i] != '.' : !is_digit(text[i])) {
            return 0;
        }
        quality += i == 1 ? 0 : (text[i] - '0') * unit;
        unit /= i == 1 ? 1 : 10;
    }
    return quality <= QUALITY_MAX ? quality : 0;
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && is_blank(*at)) {
        at++;
    }
    return at;
}

static void read_range(range *read, const char *at, const char *end)
{
    at = skip_blanks(at, end);
    while (end > at && is_blank(end[-1])) {
        end--;
    }
    read->tag = at;
    while (at < end && !is_blank(*at) && *at != ';') {
        at++;
    }
    read->length = (apr_size_t)(at - read->tag);
    read->quality = QUALITY_MAX;
    if (!hs_language_is_tag(read->tag, read->length)) {
        read->length = 0;
    }
    at = skip_blanks(at, end);
    if (at == end) {
        return;
    }
    at = skip_blanks(at + 1, end);
    read->quality = end - at > 2 && lower(at[0]) == 'q' && at[1] == '='
                        ? read_quality(at + 2, (apr_size_t)(end - at) - 2)
                        : 0;
}

const char *hs_language_choose(const char *field, const apr_array_header_t *tags)
{
    const char *best = NULL;
    const char *found;
    int best_quality = 0;
    apr_size_t length;
    range next;

    while (field && *field) {
        length = strcspn(field, ",");
        read_range(&next, field, field + length);
        field += length + (field[length] == ',');
        found = next.quality > best_quality ? look_up(&next, tags) : NULL;
        if (found) {
            best = found;
            best_quality = next.quality;
        }
    }
    return best;
}
