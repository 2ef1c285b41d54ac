/* hs_utf8.c - layer 1: UTF-8 strings and the Unicode properties that the contract names. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_utf8.h"

#include <apr_strings.h>

#include <unicase.h>
#include <unictype.h>
#include <unistr.h>

#include <stdint.h>
#include <string.h>

#define REPLACEMENT 0xFFFD

/* Who looks for a longer word finds it by its beginning, and a page of the index has room for it.
 */
#define WORD_MAX 84

typedef enum character_kind { KIND_SEPARATOR = 0, KIND_MARK, KIND_WORD } character_kind;

static int is_continuation(char octet)
{
    return ((unsigned char)octet & 0xC0) == 0x80;
}

/* The code point at `text`, which is not at its NUL, and how many octets it takes. Octets that are
 * not UTF-8 count as U+FFFD, so that no caller's mistake makes a loop run past the NUL. */
static int decode(ucs4_t *point, const char *text)
{
    int octets;

    if (!((unsigned char)*text & 0x80)) {
        *point = (unsigned char)*text;
        return 1;
    }
    octets = u8_strmbtouc(point, (const uint8_t *)text);
    if (octets > 0) {
        return octets;
    }
    *point = REPLACEMENT;
    return 1;
}

static int is_space(ucs4_t point)
{
    if (point < 0x80) {
        return point == ' ' || (point >= '\t' && point <= '\r');
    }
    return uc_is_property_white_space(point);
}

static int is_ascii_letter(ucs4_t point)
{
    return (point >= 'a' && point <= 'z') || (point >= 'A' && point <= 'Z');
}

static character_kind kind_of(ucs4_t point)
{
    if (point < 0x80) {
        return is_ascii_letter(point) || (point >= '0' && point <= '9') ? KIND_WORD
                                                                        : KIND_SEPARATOR;
    }
    if (uc_is_general_category_withtable(point, UC_CATEGORY_MASK_L | UC_CATEGORY_MASK_N)) {
        return KIND_WORD;
    }
    return uc_is_general_category_withtable(point, UC_CATEGORY_MASK_M) ? KIND_MARK : KIND_SEPARATOR;
}

static int is_name_point(ucs4_t point)
{
    if (point < 0x80) {
        return is_ascii_letter(point) || point == ' ' || point == '\'' || point == '-' ||
               point == '.';
    }
    return uc_is_general_category_withtable(point, UC_CATEGORY_MASK_L | UC_CATEGORY_MASK_M);
}

/* The first octet from `text` that is not ASCII, eight at a time. */
static const char *skip_ascii(const char *text, const char *end)
{
    const uint64_t high_bits = UINT64_C(0x8080808080808080);
    uint64_t chunk;

    while (end - text >= (ptrdiff_t)sizeof(chunk)) {
        memcpy(&chunk, text, sizeof(chunk));
        if (chunk & high_bits) {
            break;
        }
        text += sizeof(chunk);
    }
    while (text < end && !((unsigned char)*text & 0x80)) {
        text++;
    }
    return text;
}

int hs_utf8_is_valid(const char *octets, apr_size_t length)
{
    const char *end = octets + length;
    const char *rest = skip_ascii(octets, end);

    return u8_check((const uint8_t *)rest, (size_t)(end - rest)) == NULL;
}

apr_size_t hs_utf8_length(const char *text)
{
    apr_size_t octets = strlen(text);
    apr_size_t count = 0;

    for (apr_size_t i = 0; i < octets; i++) {
        count += !is_continuation(text[i]);
    }
    return count;
}

static const char *trimmed_end(const char *text)
{
    const char *end = text + strlen(text);
    ucs4_t point;

    while (end > text) {
        const char *last = end - 1;

        while (last > text && is_continuation(*last)) {
            last--;
        }
        decode(&point, last);
        if (!is_space(point)) {
            break;
        }
        end = last;
    }
    return end;
}

const char *hs_utf8_trim(const char *text, apr_pool_t *pool)
{
    const char *end;
    ucs4_t point;
    int octets;

    for (; *text; text += octets) {
        octets = decode(&point, text);
        if (!is_space(point)) {
            break;
        }
    }
    end = trimmed_end(text);
    return *end ? apr_pstrmemdup(pool, text, (apr_size_t)(end - text)) : text;
}

int hs_utf8_has_control(const char *text, int allow_breaks)
{
    for (; *text; text++) {
        unsigned char octet = (unsigned char)*text;
        int is_break = octet == '\t' || octet == '\r' || octet == '\n';

        if ((octet < 0x20 || octet == 0x7F) && !(allow_breaks && is_break)) {
            return 1;
        }
        /* U+0080 to U+009F. Unicode guarantees that Cc never gets another member. */
        if (octet == 0xC2 && (unsigned char)text[1] < 0xA0) {
            return 1;
        }
    }
    return 0;
}

int hs_utf8_has_space(const char *text)
{
    ucs4_t point;

    while (*text) {
        text += decode(&point, text);
        if (is_space(point)) {
            return 1;
        }
    }
    return 0;
}

/* The case folding of Unicode for single characters: by way of the upper case, because several
 * lower ones (the two sigmas) have the same. */
static ucs4_t fold(ucs4_t point)
{
    return uc_tolower(uc_toupper(point));
}

static void add_word(apr_array_header_t *words, const char *start, const char *end)
{
    uint8_t folded[4 * WORD_MAX];
    int length = 0;
    ucs4_t point;

    for (int i = 0; i < WORD_MAX && start < end; i++) {
        start += decode(&point, start);
        length += u8_uctomb(folded + length, fold(point), (int)sizeof(folded) - length);
    }
    APR_ARRAY_PUSH(words, const char *) =
        apr_pstrmemdup(words->pool, (const char *)folded, (apr_size_t)length);
}

apr_array_header_t *hs_utf8_words(const char *text, apr_pool_t *pool)
{
    apr_array_header_t *words = apr_array_make(pool, 4, sizeof(const char *));
    const char *start = NULL;
    ucs4_t point;

    while (*text) {
        int octets = decode(&point, text);
        character_kind kind = kind_of(point);

        if (!start && kind == KIND_WORD) {
            start = text;
        } else if (start && kind == KIND_SEPARATOR) {
            add_word(words, start, text);
            start = NULL;
        }
        text += octets;
    }
    if (start) {
        add_word(words, start, text);
    }
    return words;
}

int hs_utf8_is_name(const char *text)
{
    ucs4_t point;

    while (*text) {
        text += decode(&point, text);
        if (!is_name_point(point)) {
            return 0;
        }
    }
    return 1;
}

const char *hs_utf8_repair(const char *text, apr_pool_t *pool)
{
    apr_size_t length = strlen(text);
    char *repaired;
    char *end;

    if (hs_utf8_is_valid(text, length)) {
        return text;
    }
    repaired = end = apr_palloc(pool, 3 * length + 1);
    for (; *text; text++) {
        if ((unsigned char)*text < 0x80) {
            *end++ = *text;
        } else {
            memcpy(end, "\xEF\xBF\xBD", 3);
            end += 3;
        }
    }
    *end = '\0';
    return repaired;
}

const char *hs_utf8_cut(const char *text, apr_size_t most, apr_pool_t *pool)
{
    apr_size_t count = 0;

    for (const char *at = text; *at; at++) {
        if (!is_continuation(*at) && count++ == most) {
            return apr_pstrmemdup(pool, text, (apr_size_t)(at - text));
        }
    }
    return text;
}
