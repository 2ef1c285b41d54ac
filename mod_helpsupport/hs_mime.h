/* hs_mime.h - layer 2: text as mail carries it: quoted-printable, encoded words, folded headers. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_MIME_H
#define HS_MIME_H

#include "hs_buffer.h"

/* Append `text` (UTF-8; LF, CR LF and CR are line ends) as quoted-printable (RFC 2045 6.7): 7-bit,
 * CR LF, lines of at most 76 octets, no character cut by a soft line break. A dot or "From " that
 * would begin a line is encoded: no relay's dot-stuffing or mbox quoting can touch the body. "=_"
 * never occurs. Thread: any. */
void hs_mime_put_body(hs_buffer *out, const char *text);

/* Append "name: value" CR LF, `value` being free text (RFC 5322 unstructured): as it is where that
 * is printable ASCII that folds into 78 octets, else as encoded words (RFC 2047) of at most 75
 * octets each, cut between characters. `value` must be UTF-8 without control characters. Thread:
 * any. */
void hs_mime_put_header(hs_buffer *out, const char *name, const char *value);

/* Append "name: display <address>" CR LF, or "name: address" where `display` is NULL or empty. The
 * display name is written as a phrase: atoms, a quoted string or encoded words. `address` must be
 * ASCII without control characters, and is never cut: only its own length may make a line longer
 * than 78. Thread: any. */
void hs_mime_put_mailbox(hs_buffer *out, const char *name, const char *display,
                         const char *address);

#endif
