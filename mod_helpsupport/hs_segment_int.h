/* hs_segment_int.h - layer 1: a page's lines, for the files of the segment only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_SEGMENT_INT_H
#define HS_SEGMENT_INT_H

#include <apr.h>

/* As many octets of a fence, and of a word that is compared with it, count. */
#define HS_SEGMENT_FENCE_OCTETS 32

/* Before the number of numbers that follow without a gap. */
#define HS_SEGMENT_RUN '.'

/* Digits are the 64 characters from '0': the first 32 end a number, the others go before such. */
#define HS_SEGMENT_DIGIT '0'
#define HS_SEGMENT_BASE 32

/* A line of a page: word, a space, postings, a line feed. */
typedef struct hs_segment_line {
    const char *word;
    apr_size_t word_length;
    const char *postings;
    const char *next; /* the line behind it */
} hs_segment_line;

/* Read the line at `page`. Returns 0 at the page's end. */
int hs_segment_read_line(hs_segment_line *line, const char *page);

/* Where a reader of postings is. */
typedef struct hs_segment_posting {
    const char *at;
    apr_int64_t number; /* the one that was read last; before the first the segment's first - 1 */
    apr_int64_t more;   /* as many follow it without a gap, and are read with it */
    apr_int64_t last;   /* the segment's last: no greater one is read, whatever the page says */
} hs_segment_posting;

/* Read the next number. Returns 0 where there is none. */
int hs_segment_read_posting(hs_segment_posting *posting);

#endif
