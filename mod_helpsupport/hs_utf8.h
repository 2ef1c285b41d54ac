/* hs_utf8.h - layer 1: UTF-8 strings and the Unicode properties that the contract names. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_UTF8_H
#define HS_UTF8_H

#include <apr_pools.h>
#include <apr_tables.h>

/* Whether `length` octets are well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms,
 * nothing above U+10FFFF). NUL counts as an ordinary character. Thread: any. */
int hs_utf8_is_valid(const char *octets, apr_size_t length);

/* Number of code points of valid UTF-8. Thread: any. */
apr_size_t hs_utf8_length(const char *text);

/* `text` without Unicode White_Space at both ends; a copy in `pool` only where something was cut
 * at the end, else a pointer into `text`. Thread: any. */
const char *hs_utf8_trim(const char *text, apr_pool_t *pool);

/* Whether there is a control character (category Cc); with `allow_breaks` tab, CR and LF don't
 * count. Thread: any. */
int hs_utf8_has_control(const char *text, int allow_breaks);

/* Whether there is Unicode White_Space anywhere. Thread: any. */
int hs_utf8_has_space(const char *text);

/* The words of `text` (maximal runs of letters, categories L*, and digits, N*, with the marks M*
 * that follow them), in order, as an array of const char * in `pool`; without regard to case, and
 * not longer than their first 84 characters: so every database finds the same. Thread: any. */
apr_array_header_t *hs_utf8_words(const char *text, apr_pool_t *pool);

/* Whether every code point is a letter (L*), a mark (M*), U+0020 or one of "'-.", which is what a
 * confirmation mail may repeat of a name (contract 6). Thread: any. */
int hs_utf8_is_name(const char *text);

/* `text` itself where it is valid UTF-8, else a copy in `pool` with U+FFFD for each octet above
 * 127: names from other modules come in any encoding. Thread: any. */
const char *hs_utf8_repair(const char *text, apr_pool_t *pool);

/* `text`, which is valid UTF-8, or a copy in `pool` of its first `most` code points where it has
 * more. Thread: any. */
const char *hs_utf8_cut(const char *text, apr_size_t most, apr_pool_t *pool);

#endif
