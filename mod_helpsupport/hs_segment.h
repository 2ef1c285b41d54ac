/* hs_segment.h - layer 2: an index of words: which tickets have each, as pages of text. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_SEGMENT_H
#define HS_SEGMENT_H

#include "hs_number_set.h"

#include <apr_tables.h>

/* A segment is the index of some tickets, written once and never changed; new tickets get a new
 * one, and several small ones are merged into a large one. A database keeps its pages as rows.
 *
 * A page is lines "word postings", in ascending order of the words' octets. Postings are the
 * numbers of the tickets that have the word, ascending, each as the distance from the one before in
 * digits of base 32; what does not fit on a page goes on, with the word again, on the next. The
 * fences say what the pages but the first begin with, so that a reader takes only those that it
 * needs. All of it is text, so that every database keeps it as it is. */

/* No page is longer, and no segment spans more numbers: both are held in memory. */
#define HS_SEGMENT_PAGE_OCTETS 12000
#define HS_SEGMENT_SPAN_MAX (1 << 20)

typedef struct hs_segment {
    apr_int64_t from_number; /* the lowest of its tickets */
    apr_int64_t to_number;   /* and the highest */
    apr_int64_t tickets;
    apr_array_header_t *pages; /* of const char * */
    const char *fences;        /* between spaces */
} hs_segment;

/* A ticket that is to be in a segment. */
typedef struct hs_segment_ticket {
    apr_int64_t number;
    const char *words; /* between spaces; without control characters */
} hs_segment_ticket;

/* The index of tickets (at least one; by number, ascending, within the span). All in `pool`.
 * Thread: any. */
hs_segment *hs_segment_make(const hs_segment_ticket *tickets, int count, apr_pool_t *pool);

/* One segment of all tickets of several. One that is in two is taken once, but counts twice in
 * `tickets`. All in `pool`. Thread: any. */
hs_segment *hs_segment_merge(hs_segment *const *segments, int count, apr_pool_t *pool);

/* What a segment of all tickets of two would be, without pages. Thread: any. */
hs_segment hs_segment_sum(const hs_segment *one, const hs_segment *other);

/* Which pages may have words that begin with `word`, from 0; there may be none such on them.
 * Thread: any. */
void hs_segment_pages(int *first, int *last, const char *fences, const char *word);

/* Add the tickets of a page's words that begin with `word`; `from_number` is the segment's. What is
 * no page adds nothing that can do harm. Thread: any. */
void hs_segment_find(hs_number_set *found, const char *page, const char *word,
                     apr_int64_t from_number);

#endif
