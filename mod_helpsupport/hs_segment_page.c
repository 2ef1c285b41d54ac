/* hs_segment_page.c - layer 3: reads the pages of a segment. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_segment.h"
#include "hs_segment_int.h"

#include <string.h>

int hs_segment_read_line(hs_segment_line *line, const char *page)
{
    const char *end = strchr(page, '\n');
    const char *space = end ? memchr(page, ' ', (size_t)(end - page)) : NULL;

    if (!space) {
        return 0;
    }
    *line = (hs_segment_line){.word = page,
                              .word_length = (apr_size_t)(space - page),
                              .postings = space + 1,
                              .next = end + 1};
    return 1;
}

/* Read a number, first digit first. Returns 0 where there is none that a page may have. */
static int read_number(apr_int64_t *number, const char **at)
{
    *number = 0;
    while (*number < HS_SEGMENT_SPAN_MAX) {
        unsigned digit = (unsigned char)**at - (unsigned)HS_SEGMENT_DIGIT;

        if (digit >= 2 * HS_SEGMENT_BASE) {
            return 0;
        }
        (*at)++;
        *number = *number * HS_SEGMENT_BASE + digit % HS_SEGMENT_BASE;
        if (digit < HS_SEGMENT_BASE) {
            return *number < HS_SEGMENT_SPAN_MAX;
        }
    }
    return 0;
}

int hs_segment_read_posting(hs_segment_posting *posting)
{
    apr_int64_t distance;

    posting->number += posting->more;
    posting->more = 0;
    if (!read_number(&distance, &posting->at) || distance >= posting->last - posting->number) {
        return 0;
    }
    posting->number += distance + 1;
    if (*posting->at == HS_SEGMENT_RUN) {
        posting->at++;
        return read_number(&posting->more, &posting->at) &&
               posting->more <= posting->last - posting->number;
    }
    return 1;
}

static apr_size_t least(apr_size_t a, apr_size_t b)
{
    return a < b ? a : b;
}

/* Whether no word before a page can begin with `word`. A fence of full length may stand before the
 * page's first word only as far as that, so those that are equal as far as that are no such. */
static int begins_before(const char *fence, apr_size_t fence_length, const char *word)
{
    apr_size_t length = least(strlen(word), HS_SEGMENT_FENCE_OCTETS);
    int order = strncmp(fence, word, least(fence_length, length));

    return order < 0 || (order == 0 && fence_length < length);
}

void hs_segment_pages(int *first, int *last, const char *fences, const char *word)
{
    int page = 0;

    *first = *last = 0;
    while (*fences) {
        apr_size_t length = strcspn(fences, " ");

        page++;
        if (strncmp(fences, word, least(length, strlen(word))) > 0) {
            return;
        }
        *last = page;
        if (begins_before(fences, length, word)) {
            *first = page;
        }
        fences += length + (fences[length] == ' ');
    }
}

void hs_segment_find(hs_number_set *found, const char *page, const char *word,
                     apr_int64_t from_number)
{
    size_t length = strlen(word);
    hs_segment_line line;

    for (; hs_segment_read_line(&line, page); page = line.next) {
        hs_segment_posting posting = {
            .at = line.postings, .number = from_number - 1, .last = found->to};

        if (line.word_length < length || memcmp(line.word, word, length) != 0) {
            continue;
        }
        while (hs_segment_read_posting(&posting)) {
            hs_number_set_add(found, posting.number, posting.more);
        }
    }
}
