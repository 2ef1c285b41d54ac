/* fuzz_segment.c - the index of words: what is made of any words is found, and pages that hold
 * anything do no harm, read or merged. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "hs_segment.h"
#include "hs_utf8.h"

#include <apr_general.h>
#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>

#define FIRST 100  /* the first segment's lowest number */
#define SPAN 3000  /* of each segment */
#define TICKETS 60 /* that each line of words makes, so that there are several pages */
#define WORD_OCTETS 400

static void require(int holds)
{
    if (!holds) {
        abort();
    }
}

/* Cut off a line; NULL at the end. */
static char *next_line(char **rest, char end)
{
    char *line = *rest;
    char *stop = line ? strchr(line, end) : NULL;

    if (stop) {
        *stop++ = '\0';
    }
    *rest = stop;
    return line;
}

static int count_pages(const char *fences)
{
    int count = 1;

    for (; *fences; fences++) {
        count += *fences == ' ';
    }
    return count + 1;
}

/* What all pages say, whichever of them the fences name. */
static void find_everywhere(hs_number_set *found, const hs_segment *segment, const char *word,
                            apr_pool_t *pool)
{
    hs_number_set_init(found, segment->from_number, segment->to_number, pool);
    for (int i = 0; i < segment->pages->nelts; i++) {
        hs_segment_find(found, APR_ARRAY_IDX(segment->pages, i, const char *), word,
                        segment->from_number);
    }
}

static void find_by_fences(hs_number_set *found, const hs_segment *segment, const char *word,
                           apr_pool_t *pool)
{
    int page;
    int last;

    hs_number_set_init(found, segment->from_number, segment->to_number, pool);
    hs_segment_pages(&page, &last, segment->fences, word);
    require(page >= 0 && page <= last && last < count_pages(segment->fences));
    for (; page <= last && page < segment->pages->nelts; page++) {
        hs_segment_find(found, APR_ARRAY_IDX(segment->pages, page, const char *), word,
                        segment->from_number);
    }
}

/* ---- pages that hold anything ---- */

/* Segments and their pages, which lines of form feeds part; the first line of each are its fences.
 */
static int read_segments(hs_segment **segments, int most, char *text, apr_pool_t *pool)
{
    int count = 0;

    for (char *part; count < most && (part = next_line(&text, '\v')) != NULL; count++) {
        hs_segment *one = segments[count] = apr_pcalloc(pool, sizeof(*one));

        one->from_number = FIRST + count * SPAN / 2;
        one->to_number = one->from_number + SPAN - 1;
        one->fences = next_line(&part, '\n');
        one->pages = apr_array_make(pool, 4, sizeof(const char *));
        for (char *page; (page = next_line(&part, '\f')) != NULL;) {
            APR_ARRAY_PUSH(one->pages, const char *) = page;
        }
    }
    return count;
}

/* A merged segment has what its sources have, and nothing else. */
static void check_pages(char *text, const char *word, apr_pool_t *pool)
{
    hs_segment *segments[3];
    hs_number_set found[3];
    hs_number_set merged;
    int count = read_segments(segments, 3, text, pool);
    hs_segment *all;

    if (count == 0) {
        return;
    }
    all = hs_segment_merge(segments, count, pool);
    find_everywhere(&merged, all, word, pool);
    for (int i = 0; i < count; i++) {
        find_by_fences(&found[i], segments[i], word, pool);
        find_everywhere(&found[i], segments[i], word, pool);
    }
    for (apr_int64_t number = all->from_number; number <= all->to_number; number++) {
        int is_there = 0;

        for (int i = 0; i < count; i++) {
            is_there |= hs_number_set_has(&found[i], number);
        }
        require(is_there == hs_number_set_has(&merged, number));
    }
}

/* ---- words that are anything ---- */

/* Each line is the words of some tickets, which have another octet behind them, each its own. */
static int make_tickets(hs_segment_ticket *tickets, int most, char *text, apr_pool_t *pool)
{
    apr_int64_t number = FIRST;
    int count = 0;

    for (char *line; (line = next_line(&text, '\n')) != NULL && count + TICKETS <= most;) {
        for (int i = 0; i < TICKETS; i++) {
            char *rest = apr_pstrdup(pool, line);
            const char *words = "";

            for (const char *word; (word = next_line(&rest, ' ')) != NULL;) {
                if (*word && strlen(word) < WORD_OCTETS) {
                    words = apr_psprintf(pool, "%s %s%c", words, word, '0' + i);
                }
            }
            number += 1 + (i % 7 == 0 ? count % 90 : 0);
            tickets[count++] = (hs_segment_ticket){.number = number, .words = words};
        }
    }
    return count;
}

static void check_found(const hs_segment *segment, const hs_segment_ticket *tickets, int count,
                        const char *word, apr_pool_t *pool)
{
    const char *begin = apr_pstrcat(pool, " ", word, NULL);
    hs_number_set found;

    find_by_fences(&found, segment, word, pool);
    for (int i = 0; i < count; i++) {
        require(hs_number_set_has(&found, tickets[i].number) ==
                (strstr(tickets[i].words, begin) != NULL));
    }
}

/* The words beside which pages were cut. */
static void check_edges(const hs_segment *segment, const hs_segment_ticket *tickets, int count,
                        apr_pool_t *pool)
{
    for (int i = 0; i < segment->pages->nelts; i++) {
        const char *page = APR_ARRAY_IDX(segment->pages, i, const char *);
        size_t length = strlen(page);
        const char *last = page + (length ? length - 1 : 0);

        while (last > page && last[-1] != '\n') {
            last--;
        }
        if (i > 0 && length) {
            check_found(segment, tickets, count, apr_pstrmemdup(pool, page, strcspn(page, " ")),
                        pool);
        }
        check_found(segment, tickets, count, apr_pstrmemdup(pool, last, strcspn(last, " ")), pool);
    }
}

static void check_words(char *text, const char *word, apr_pool_t *pool)
{
    hs_segment_ticket tickets[10 * TICKETS];
    int count = make_tickets(tickets, 10 * TICKETS, text, pool);
    hs_segment *parts[2];

    if (count == 0) {
        return;
    }
    parts[0] = hs_segment_make(tickets, count, pool);
    check_found(parts[0], tickets, count, word, pool);
    check_edges(parts[0], tickets, count, pool);
    parts[0] = hs_segment_make(tickets, count / 2, pool);
    parts[1] = hs_segment_make(tickets + count / 2, count - count / 2, pool);
    check_found(hs_segment_merge(parts, 2, pool), tickets, count, word, pool);
}

/* The first line is the word that is looked for; with a tab before it the rest is pages. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static apr_pool_t *root;
    apr_pool_t *pool;
    char *text;
    char *word;

    if (!root) {
        apr_initialize();
        apr_pool_create(&root, NULL);
    }
    apr_pool_create(&pool, root);
    text = apr_pstrmemdup(pool, (const char *)data, size);
    word = next_line(&text, '\n');
    if (text && *word == '\t') {
        check_pages(text, word + 1, pool);
    } else if (text && *word && !strchr(word, ' ') && hs_utf8_is_valid(text, strlen(text)) &&
               hs_utf8_is_valid(word, strlen(word))) {
        check_words(text, word, pool);
    }
    apr_pool_destroy(pool);
    return 0;
}
