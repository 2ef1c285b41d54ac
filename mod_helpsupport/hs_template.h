/* hs_template.h - layer 3: logic-less templates that escape by context: compile once, render many.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_TEMPLATE_H
#define HS_TEMPLATE_H

#include "hs_buffer.h"
#include "hs_error.h"

/* The language:
 *   {{name}}               the variable's value, escaped for the place where it stands
 *   {{url:name}}           its value percent-encoded, as one component of a URL
 *   {{#name}}...{{/name}}  the text between, if the variable has a value
 *   {{^name}}...{{/name}}  the text between, if it has none
 *   {{! comment }}
 * A section's tag or a comment alone on a line takes the whole line away. There is no unescaped
 * output, no partial, no other delimiter, no loop. The file's name gives the kind: *.html is
 * escaped for HTML (hs_html.h says what is refused where), *.txt is plain text, *.subject becomes
 * one line of at most 200 code points. */
#define HS_TEMPLATE_MAX_OCTETS (256 * 1024)
#define HS_TEMPLATE_MAX_DEPTH 16
#define HS_TEMPLATE_SUBJECT_MAX 200 /* code points */

/* A variable that templates may use. */
typedef struct hs_template_name {
    const char *name;
    int is_url; /* its value is an http or https URL, so it may begin an href */
} hs_template_name;

/* Every variable there is; must outlive the templates compiled with it. */
typedef struct hs_template_names {
    const hs_template_name *names;
    int count;
} hs_template_names;

typedef struct hs_template hs_template;

/* Compile `length` octets of `text`, the content of `file` (a name or a path; its end gives the
 * kind). The template and copies of all it needs live in `pool`. Returns HS_CONFIGURATION with text
 * "file:line:column: what is wrong" (columns in code points, from 1) for: more than
 * HS_TEMPLATE_MAX_OCTETS, octets that are not UTF-8, control characters, an unknown kind or
 * variable, a tag or section that is not closed, a variable in a place where escaping can't make it
 * safe, a section after which the HTML would go on elsewhere than without it. Thread: any. */
hs_error *hs_template_compile(hs_template **made, const char *file, const char *text,
                              apr_size_t length, const hs_template_names *names,
                              apr_pool_t *pool) HS_MUSTCHECK;

/* Append the template to `out`. values[i] belongs to names[i]: UTF-8, or NULL where the variable
 * has no value; "" counts as none. Returns HS_CONFIGURATION where a URL that begins an attribute
 * is missing or not http(s); `out` then holds a part. Thread: many at once with one template. */
hs_error *hs_template_render(const hs_template *template, hs_buffer *out, const char *const *values,
                             apr_pool_t *pool) HS_MUSTCHECK;

/* Whether `text` is an absolute http or https URL with a host and without white space, quotes,
 * angle brackets or control characters: what an is_url variable must be. Thread: any. */
int hs_template_is_url(const char *text);

#endif
