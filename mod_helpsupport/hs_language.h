/* hs_language.h - layer 1: which of our languages a reader wants (Accept-Language, RFC 4647). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_LANGUAGE_H
#define HS_LANGUAGE_H

#include <apr_tables.h>

#define HS_LANGUAGE_MAX_OCTETS 35 /* of a tag (RFC 5646 4.4.1) */

/* Whether `length` octets form a language tag: groups of 1-8 ASCII letters or digits with hyphens
 * between, the first of 2-8 letters. Thread: any. */
int hs_language_is_tag(const char *tag, apr_size_t length);

/* Choose by RFC 4647 3.4 (lookup: "de-AT" finds "de") among `tags` (of const char *, in lower case)
 * for an Accept-Language field value (RFC 9110 12.5.4; NULL: none sent). Of several that match, the
 * one with the highest q wins, the first among equals; q=0, "*" and what is malformed match
 * nothing. Returns an element of `tags`, or NULL where none matches. Thread: any. */
const char *hs_language_choose(const char *field, const apr_array_header_t *tags);

#endif
