/* hs_escape.h - layer 2: untrusted text into HTML, plain text, one line, a URL. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_ESCAPE_H
#define HS_ESCAPE_H

#include "hs_buffer.h"

/* All of these take valid UTF-8 and leave out control characters (category Cc, but for tab and
 * line breaks) and the bidirectional overrides, embeddings and isolates (U+202A-202E,
 * U+2066-2069), which can make a text read as something that it isn't. CR, LF, CR LF, U+0085,
 * U+2028 and U+2029 are one line break each. Thread: any. */

/* As HTML text or a quoted attribute: & < > " ' become references, a line break `line_break`. */
void hs_escape_html(hs_buffer *out, const char *text, const char *line_break);

/* As plain text; a line break becomes LF. */
void hs_escape_text(hs_buffer *out, const char *text);

/* As part of one line; a line break or tab becomes a space. */
void hs_escape_line(hs_buffer *out, const char *text);

/* Percent-encoded but for RFC 3986 unreserved and "@": one component of a URL, or the address of a
 * mailto (RFC 6068 wants its "@" as it is). Line breaks are encoded as LF. */
void hs_escape_url(hs_buffer *out, const char *text);

/* Make what was appended to `out` from octet `start` on one line: runs of white space become single
 * spaces, none at the ends, and what is beyond `max` code points is cut. */
void hs_escape_join_lines(hs_buffer *out, apr_size_t start, int max);

/* `text` as it is, but such that no mail program makes a link of it: a space after the colon of
 * "://", and after a dot between a letter or digit and two letters ("example. com"). For what a
 * stranger wrote; escaping is still to come. */
void hs_escape_inert(hs_buffer *out, const char *text);

#endif
