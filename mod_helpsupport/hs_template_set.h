/* hs_template_set.h - layer 4: the templates of one kind of mail in a folder, in all languages. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_TEMPLATE_SET_H
#define HS_TEMPLATE_SET_H

#include "hs_template.h"

#include <apr_tables.h>

/* What a set is read from: folder/stem.subject, .txt, .html and folder/stem.TAG.subject, ... */
typedef struct hs_template_place {
    const char *folder;
    const char *stem;     /* "confirmation" */
    const char *language; /* tag of the files without a tag, lower case: "en" */
} hs_template_place;

/* Compiled, immutable. */
typedef struct hs_template_set hs_template_set;

/* The three parts of a mail, rendered. */
typedef struct hs_template_parts {
    const char *subject;
    const char *text;
    const char *html;
} hs_template_parts;

/* A number that changes when a file of the set is added, removed or changed (name, mtime, inode,
 * size), and 0 where the folder can't be read. Thread: any. */
apr_uint64_t hs_template_set_signature(const hs_template_place *place, apr_pool_t *pool);

/* Compile all files of the set into `pool`. Returns HS_CONFIGURATION "file:line:column: ..." where
 * one is wrong, a language lacks one of its three files, the set without a tag is missing, or the
 * folder can't be read. Thread: any. */
hs_error *hs_template_set_load(hs_template_set **made, const hs_template_place *place,
                               const hs_template_names *names, apr_pool_t *pool) HS_MUSTCHECK;

/* The languages of the set, the default one first, as an array of const char * in lower case. */
const apr_array_header_t *hs_template_set_languages(const hs_template_set *set);

/* Render all three parts in `language` (the default where the set does not have it) into `pool`.
 * `values` as for hs_template_render. Thread: many at once. */
hs_error *hs_template_set_render(const hs_template_set *set, const char *language,
                                 const char *const *values, hs_template_parts *parts,
                                 apr_pool_t *pool) HS_MUSTCHECK;

#endif
