/* hs_segment.c - layer 3: makes segments: from tickets, and from other segments. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_segment.h"

#include "hs_buffer.h"
#include "hs_segment_int.h"

#include <apr_hash.h>
#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>

/* A line gets at least that much room besides its word: a number takes at most 4 digits here. */
#define LINE_OCTETS 24

#define DIGITS_MAX 13

/* A segment that grows, word by word in ascending order. */
typedef struct writer {
    hs_segment *segment;
    hs_buffer page;
    hs_buffer fences;
    const char *last_word; /* on the page, or on the one before */
    apr_pool_t *pool;
} writer;

static hs_segment *begin(writer *self, apr_int64_t from_number, apr_int64_t to_number,
                         apr_int64_t tickets, apr_pool_t *pool)
{
    hs_segment *segment = apr_pcalloc(pool, sizeof(*segment));

    segment->from_number = from_number;
    segment->to_number = to_number;
    segment->tickets = tickets;
    segment->pages = apr_array_make(pool, 16, sizeof(const char *));
    *self = (writer){.segment = segment, .last_word = "", .pool = pool};
    hs_buffer_init(&self->page, HS_SEGMENT_PAGE_OCTETS, pool);
    hs_buffer_init(&self->fences, 256, pool);
    return segment;
}

static void put_number(hs_buffer *page, apr_int64_t number)
{
    char digits[DIGITS_MAX];
    int i = DIGITS_MAX - 1;

    digits[i] = (char)(HS_SEGMENT_DIGIT + number % HS_SEGMENT_BASE);
    while ((number /= HS_SEGMENT_BASE) > 0) {
        digits[--i] = (char)(HS_SEGMENT_DIGIT + HS_SEGMENT_BASE + number % HS_SEGMENT_BASE);
    }
    hs_buffer_append(page, digits + i, (apr_size_t)(DIGITS_MAX - i));
}

static int is_inside_character(char octet)
{
    return ((unsigned char)octet & 0xC0) == 0x80;
}

/* How much of `word` tells it from the last one of the page before: whole characters. */
static apr_size_t fence_length(const char *word, const char *before)
{
    apr_size_t length = 0;

    while (length < HS_SEGMENT_FENCE_OCTETS && word[length] && word[length] == before[length]) {
        length++;
    }
    length += length < HS_SEGMENT_FENCE_OCTETS && word[length];
    while (is_inside_character(word[length])) {
        length++;
    }
    return length;
}

static void end_page(writer *self)
{
    APR_ARRAY_PUSH(self->segment->pages, const char *) =
        apr_pstrmemdup(self->pool, self->page.data, self->page.length);
    self->page.length = 0;
}

/* Begin another page where this one has no room for the word's next line. */
static void make_room(writer *self, const char *word)
{
    if (self->page.length + strlen(word) + LINE_OCTETS <= HS_SEGMENT_PAGE_OCTETS) {
        return;
    }
    end_page(self);
    if (self->fences.length > 0) {
        hs_buffer_putc(&self->fences, ' ');
    }
    hs_buffer_append(&self->fences, word, fence_length(word, self->last_word));
}

/* Add numbers to the line until it is full. Returns how many were added. */
static int put_postings(writer *self, const apr_int64_t *numbers, int count)
{
    apr_int64_t before = self->segment->from_number - 1;
    int done = 0;

    while (done < count && self->page.length + LINE_OCTETS / 2 < HS_SEGMENT_PAGE_OCTETS) {
        int run = 0;

        put_number(&self->page, numbers[done] - before - 1);
        while (done + run + 1 < count && numbers[done + run + 1] == numbers[done] + run + 1) {
            run++;
        }
        if (run > 1) {
            hs_buffer_putc(&self->page, HS_SEGMENT_RUN);
            put_number(&self->page, run);
            done += run;
        }
        before = numbers[done++];
    }
    return done;
}

static void put(writer *self, const char *word, const apr_int64_t *numbers, int count)
{
    if (strlen(word) + LINE_OCTETS > HS_SEGMENT_PAGE_OCTETS) {
        return; /* no program of ours made it, and no page has room for it */
    }
    for (int done = 0; done < count;) {
        make_room(self, word);
        hs_buffer_puts(&self->page, word);
        hs_buffer_putc(&self->page, ' ');
        done += put_postings(self, numbers + done, count - done);
        hs_buffer_putc(&self->page, '\n');
        self->last_word = word;
    }
}

static void end(writer *self)
{
    end_page(self);
    self->segment->fences = self->fences.data;
}

/* ---- from tickets ---- */

static int by_word(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A ticket has most of its words more than once. */
static void note(apr_hash_t *numbers_by_word, const char *word, apr_int64_t number)
{
    apr_array_header_t *numbers = apr_hash_get(numbers_by_word, word, APR_HASH_KEY_STRING);

    if (!numbers) {
        numbers = apr_array_make(apr_hash_pool_get(numbers_by_word), 2, sizeof(apr_int64_t));
        apr_hash_set(numbers_by_word, word, APR_HASH_KEY_STRING, numbers);
    }
    if (numbers->nelts == 0 || APR_ARRAY_IDX(numbers, numbers->nelts - 1, apr_int64_t) != number) {
        APR_ARRAY_PUSH(numbers, apr_int64_t) = number;
    }
}

static const char **sorted_words(apr_hash_t *numbers_by_word, apr_pool_t *pool)
{
    apr_size_t count = apr_hash_count(numbers_by_word);
    const char **words = apr_palloc(pool, (count + 1) * sizeof(*words));
    const char **to = words;

    for (apr_hash_index_t *i = apr_hash_first(pool, numbers_by_word); i; i = apr_hash_next(i)) {
        *to++ = apr_hash_this_key(i);
    }
    qsort(words, count, sizeof(*words), by_word);
    *to = NULL;
    return words;
}

hs_segment *hs_segment_make(const hs_segment_ticket *tickets, int count, apr_pool_t *pool)
{
    apr_hash_t *numbers_by_word = apr_hash_make(pool);
    writer self;
    hs_segment *segment = begin(&self, tickets[0].number, tickets[count - 1].number, count, pool);

    for (int i = 0; i < count; i++) {
        char *rest;

        for (const char *word = apr_strtok(apr_pstrdup(pool, tickets[i].words), " ", &rest); word;
             word = apr_strtok(NULL, " ", &rest)) {
            note(numbers_by_word, word, tickets[i].number);
        }
    }
    for (const char **word = sorted_words(numbers_by_word, pool); *word; word++) {
        const apr_array_header_t *numbers =
            apr_hash_get(numbers_by_word, *word, APR_HASH_KEY_STRING);

        put(&self, *word, (const apr_int64_t *)(void *)numbers->elts, numbers->nelts);
    }
    end(&self);
    return segment;
}

/* ---- from segments ---- */

/* The next line of a segment that is merged. */
typedef struct source {
    const hs_segment *segment;
    int page; /* where that line is */
    int has_line;
    hs_segment_line line;
} source;

static void read_on(source *self)
{
    const apr_array_header_t *pages = self->segment->pages;
    const char *at = self->line.next;

    self->has_line = at && hs_segment_read_line(&self->line, at);
    while (!self->has_line && ++self->page < pages->nelts) {
        self->has_line =
            hs_segment_read_line(&self->line, APR_ARRAY_IDX(pages, self->page, const char *));
    }
}

static int order_of(const hs_segment_line *one, const hs_segment_line *other)
{
    apr_size_t shorter =
        one->word_length < other->word_length ? one->word_length : other->word_length;
    int order = memcmp(one->word, other->word, shorter);

    return order
               ? order
               : (one->word_length > other->word_length) - (one->word_length < other->word_length);
}

/* The line with the least word, or NULL at the end of all. */
static const hs_segment_line *least_line(const source *sources, int count)
{
    const hs_segment_line *found = NULL;

    for (int i = 0; i < count; i++) {
        if (sources[i].has_line && (!found || order_of(&sources[i].line, found) < 0)) {
            found = &sources[i].line;
        }
    }
    return found;
}

/* Add the numbers of one segment's lines for a word. */
static void take_word(source *self, const hs_segment_line *word, apr_array_header_t *numbers)
{
    while (self->has_line && order_of(&self->line, word) == 0) {
        hs_segment_posting posting = {.at = self->line.postings,
                                      .number = self->segment->from_number - 1,
                                      .last = self->segment->to_number};

        while (hs_segment_read_posting(&posting)) {
            for (apr_int64_t i = 0; i <= posting.more; i++) {
                APR_ARRAY_PUSH(numbers, apr_int64_t) = posting.number + i;
            }
        }
        read_on(self);
    }
}

/* Segments lie one behind the other, as a rule; but not all, and a ticket may be in two. */
static void sort(apr_array_header_t *numbers)
{
    apr_int64_t *all = (apr_int64_t *)(void *)numbers->elts;
    int count = 0;

    for (int i = 1; i < numbers->nelts; i++) {
        if (all[i - 1] >= all[i]) {
            qsort(all, (size_t)numbers->nelts, sizeof(*all), hs_number_order);
            break;
        }
    }
    for (int i = 0; i < numbers->nelts; i++) {
        if (count == 0 || all[i] != all[count - 1]) {
            all[count++] = all[i];
        }
    }
    numbers->nelts = count;
}

hs_segment hs_segment_sum(const hs_segment *one, const hs_segment *other)
{
    return (hs_segment){.from_number = one->from_number < other->from_number ? one->from_number
                                                                             : other->from_number,
                        .to_number =
                            one->to_number > other->to_number ? one->to_number : other->to_number,
                        .tickets = one->tickets + other->tickets};
}

static hs_segment *begin_merged(writer *self, hs_segment *const *segments, int count,
                                apr_pool_t *pool)
{
    hs_segment sum = *segments[0];

    for (int i = 1; i < count; i++) {
        sum = hs_segment_sum(&sum, segments[i]);
    }
    return begin(self, sum.from_number, sum.to_number, sum.tickets, pool);
}

hs_segment *hs_segment_merge(hs_segment *const *segments, int count, apr_pool_t *pool)
{
    source *sources = apr_pcalloc(pool, (apr_size_t)count * sizeof(*sources));
    apr_array_header_t *numbers = apr_array_make(pool, 1024, sizeof(apr_int64_t));
    const hs_segment_line *least;
    writer self;
    hs_segment *segment = begin_merged(&self, segments, count, pool);

    for (int i = 0; i < count; i++) {
        sources[i].segment = segments[i];
        sources[i].page = -1;
        read_on(&sources[i]);
    }
    while ((least = least_line(sources, count)) != NULL) {
        const hs_segment_line line = *least;

        apr_array_clear(numbers);
        for (int i = 0; i < count; i++) {
            take_word(&sources[i], &line, numbers);
        }
        sort(numbers);
        put(&self, apr_pstrmemdup(pool, line.word, line.word_length),
            (const apr_int64_t *)(void *)numbers->elts, numbers->nelts);
    }
    end(&self);
    return segment;
}
