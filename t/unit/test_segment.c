/* test_segment.c - the index of words against a plain model of it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_segment.h"

#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

#include <stdlib.h>

#define TICKETS 3000

static unsigned seed = 20261124;

static unsigned pick(unsigned below)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % below;
}

/* Words that share long beginnings, in two alphabets, frequent and rare. */
static const char *make_word(apr_pool_t *pool)
{
    static const char *const begins[] = {"", "a", "customer", "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2",
                                         "averylongwordthatismorethanafenceholdsandthensome"};
    unsigned rank = pick(1000) * pick(1000) / 1000;

    return apr_psprintf(pool, "%s%x%s", begins[pick(5)], rank, pick(3) ? "" : "\xc3\xa9");
}

static const char *make_words(apr_pool_t *pool)
{
    const char *words = pick(50) ? " please" : "";

    for (unsigned i = pick(30) + 1; i > 0; i--) {
        words = apr_pstrcat(pool, words, " ", make_word(pool), NULL);
    }
    return words;
}

/* Gaps, and rarely large ones. */
static hs_segment_ticket *make_tickets(apr_pool_t *pool)
{
    hs_segment_ticket *tickets = apr_palloc(pool, TICKETS * sizeof(*tickets));
    apr_int64_t number = 5000;

    for (int i = 0; i < TICKETS; i++) {
        number += pick(100) ? 1 + pick(2) : pick(5000);
        tickets[i] = (hs_segment_ticket){.number = number++, .words = make_words(pool)};
    }
    return tickets;
}

static int has(const hs_segment_ticket *ticket, const char *word, apr_pool_t *pool)
{
    return strstr(ticket->words, apr_pstrcat(pool, " ", word, NULL)) != NULL;
}

/* What a reader finds that takes the pages which the fences name. */
static void find(hs_number_set *found, const hs_segment *segment, const char *word,
                 apr_pool_t *pool)
{
    int page;
    int last;

    hs_number_set_init(found, segment->from_number, segment->to_number, pool);
    hs_segment_pages(&page, &last, segment->fences, word);
    for (; page <= last; page++) {
        hs_segment_find(found, APR_ARRAY_IDX(segment->pages, page, const char *), word,
                        segment->from_number);
    }
}

static int finds(const hs_segment *segment, const hs_segment_ticket *tickets, const char *word,
                 apr_pool_t *pool)
{
    hs_number_set found;
    apr_int64_t count = 0;

    find(&found, segment, word, pool);
    for (int i = 0; i < TICKETS; i++) {
        int is_found = hs_number_set_has(&found, tickets[i].number);

        if (is_found != has(&tickets[i], word, pool)) {
            printf("# \"%s\" of ticket %" APR_INT64_T_FMT "\n", word, tickets[i].number);
            return 0;
        }
        count += is_found;
    }
    return hs_number_set_count(&found) == count;
}

/* Words, beginnings of words at the border of a character, and what no ticket has. */
static const char *make_query(apr_pool_t *pool)
{
    char *word = apr_pstrdup(pool, make_word(pool));
    size_t length = strlen(word);

    if (pick(2) && length > 1) {
        length = 1 + pick((unsigned)length - 1);
        while ((word[length] & 0xC0) == 0x80) {
            length++;
        }
        word[length] = '\0';
    }
    return pick(10) ? word : apr_pstrcat(pool, word, "zzz", NULL);
}

static int finds_all(const hs_segment *segment, const hs_segment_ticket *tickets, apr_pool_t *pool)
{
    int good = finds(segment, tickets, "please", pool) && finds(segment, tickets, "p", pool) &&
               finds(segment, tickets, "zzzz", pool) && finds(segment, tickets, "0", pool);

    for (int i = 0; good && i < 300; i++) {
        good = finds(segment, tickets, make_query(pool), pool);
    }
    return good;
}

static int pages_are_good(const hs_segment *segment)
{
    for (int i = 0; i < segment->pages->nelts; i++) {
        const char *page = APR_ARRAY_IDX(segment->pages, i, const char *);

        if (strlen(page) > HS_SEGMENT_PAGE_OCTETS || !*page) {
            return 0;
        }
    }
    return segment->pages->nelts > 10;
}

static void test_make(const hs_segment_ticket *tickets, apr_pool_t *pool)
{
    hs_segment *segment = hs_segment_make(tickets, TICKETS, pool);
    hs_segment_ticket one = {.number = 42, .words = " just one"};
    hs_segment *small = hs_segment_make(&one, 1, pool);
    hs_number_set found;

    tap_is_int(segment->tickets, TICKETS, "all tickets are in it");
    tap_is_int(segment->from_number, tickets[0].number, "from the first");
    tap_is_int(segment->to_number, tickets[TICKETS - 1].number, "to the last");
    tap_ok(pages_are_good(segment), "on %d pages, none too long", segment->pages->nelts);
    tap_ok(finds_all(segment, tickets, pool), "each beginning of a word finds its tickets");
    tap_is_str(small->fences, "", "one page has no fence");
    find(&found, small, "on", pool);
    tap_ok(hs_number_set_has(&found, 42), "and finds its ticket");
}

/* Every third ticket, and the rest cut in pieces: the numbers lie among each other. */
static void test_merge(const hs_segment_ticket *tickets, apr_pool_t *pool)
{
    hs_segment_ticket part[TICKETS];
    hs_segment *parts[4];
    hs_segment *all;
    int count = 0;

    for (int i = 0; i < TICKETS; i += 3) {
        part[count++] = tickets[i];
    }
    parts[0] = hs_segment_make(part, count, pool);
    for (int n = 1; n < 4; n++) {
        count = 0;
        for (int i = (n - 1) * 1000; i < n * 1000; i++) {
            if (i % 3) {
                part[count++] = tickets[i];
            }
        }
        parts[n] = hs_segment_make(part, count, pool);
    }
    all = hs_segment_merge(parts, 4, pool);
    tap_is_int(all->tickets, TICKETS, "merged, all tickets are in it");
    tap_ok(pages_are_good(all), "on good pages");
    tap_ok(finds_all(all, tickets, pool), "and are found");
    tap_is_str(all->fences, hs_segment_make(tickets, TICKETS, pool)->fences,
               "as if it had been made at once");
}

/* A ticket may be in two segments. */
static void test_doubles(apr_pool_t *pool)
{
    const hs_segment_ticket tickets[] = {{1, " one both"}, {2, " two both"}, {3, " three"}};
    hs_segment *parts[] = {hs_segment_make(tickets, 2, pool),
                           hs_segment_make(tickets + 1, 2, pool)};
    hs_segment *all = hs_segment_merge(parts, 2, pool);
    hs_number_set found;

    tap_is_str(APR_ARRAY_IDX(all->pages, 0, const char *), "both 00\none 0\nthree 2\ntwo 1\n",
               "what is in two segments is merged once");
    find(&found, all, "both", pool);
    tap_is_int(hs_number_set_count(&found), 2, "and found once");
}

/* Words that somebody wrote by hand. */
static void test_long_words(apr_pool_t *pool)
{
    char *words = apr_palloc(pool, 20001);
    hs_segment_ticket one = {.number = 42, .words = words};
    hs_segment *segment;
    hs_number_set found;

    memset(words, 'x', 20000);
    words[20000] = '\0';
    words[100] = words[12090] = ' ';
    segment = hs_segment_make(&one, 1, pool);
    find(&found, segment, "xxx", pool);
    tap_ok(hs_number_set_has(&found, 42), "words of one page and less are found");
    tap_is_int(segment->pages->nelts, 1, "a longer one is left out");
}

/* What is beyond a segment's last number is not there. */
static void test_bounds(apr_pool_t *pool)
{
    hs_segment part = {.from_number = 10, .to_number = 12, .tickets = 3, .fences = ""};
    hs_segment *parts[] = {&part, &part};

    part.pages = apr_array_make(pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(part.pages, const char *) = "a 0.O\nb 3\nc 20\nd 00.1\n";
    tap_is_str(APR_ARRAY_IDX(hs_segment_merge(parts, 2, pool)->pages, 0, const char *),
               "c 2\nd 0.2\n", "no number beyond the last is merged");
}

/* The database may hold anything. */
static void test_rubbish(apr_pool_t *pool)
{
    static const char *const pages[] = {"",
                                        "\n",
                                        "word",
                                        "word 0",
                                        "word \n",
                                        "word ooooooooooooooooooo\n",
                                        "word 0.oooo0.oooo0.oooo0\n",
                                        "word 0.\nword .\nword ..0\n",
                                        " 0\n",
                                        "word \xff\xfe\n"};
    hs_number_set found;
    apr_int64_t count = 0;

    for (size_t i = 0; i < sizeof(pages) / sizeof(*pages); i++) {
        hs_number_set_init(&found, 10, 20, pool);
        hs_segment_find(&found, pages[i], "word", 10);
        hs_segment_find(&found, pages[i], "", APR_INT64_MAX - 5);
        count += hs_number_set_count(&found);
    }
    for (int i = 0; i < 20000; i++) {
        char page[64];

        for (size_t at = 0; at < sizeof(page) - 1; at++) {
            page[at] = "w 0.o\n1_"[pick(8)];
        }
        page[sizeof(page) - 1] = '\0';
        hs_segment_find(&found, page, "w", 10);
    }
    tap_ok(count < 50, "what is no page does no harm");
}

static void test_numbers(apr_pool_t *pool)
{
    hs_number_set set;
    hs_number_set other;

    hs_number_set_init(&set, 100, 300, pool);
    hs_number_set_init(&other, 100, 300, pool);
    tap_is_int(hs_number_set_below(&set, 1000), 99, "an empty set has nothing below");
    tap_is_int(hs_number_set_above(&set, 0), 301, "nor above");
    hs_number_set_add(&set, 100, 0);
    hs_number_set_add(&set, 163, 2);
    hs_number_set_add(&set, 300, 7);
    hs_number_set_add(&set, 50, 10);
    tap_is_int(hs_number_set_count(&set), 5, "no more than its bounds");
    tap_is_int(hs_number_set_below(&set, 1000), 300, "the highest");
    tap_is_int(hs_number_set_below(&set, 299), 165, "the next");
    tap_is_int(hs_number_set_below(&set, 162), 100, "the lowest");
    tap_is_int(hs_number_set_below(&set, 99), 99, "nothing below it");
    tap_is_int(hs_number_set_above(&set, 0), 100, "upwards, too");
    tap_is_int(hs_number_set_above(&set, 101), 163, "across words");
    tap_is_int(hs_number_set_above(&set, 166), 300, "to the end");
    tap_is_int(hs_number_set_above(&set, 301), 301, "and no further");
    hs_number_set_add(&other, 164, 136);
    hs_number_set_meet(&set, &other);
    tap_is_int(hs_number_set_count(&set), 3, "what both have");
    hs_number_set_remove(&set, 165);
    hs_number_set_remove(&set, 99);
    hs_number_set_remove(&set, 301);
    tap_ok(!hs_number_set_has(&set, 165) && hs_number_set_has(&set, 164), "without one");
    tap_ok(!hs_number_set_has(&set, 99) && !hs_number_set_has(&set, 301), "nothing else is in it");
}

int main(void)
{
    apr_pool_t *pool;
    const hs_segment_ticket *tickets;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    tickets = make_tickets(pool);
    test_numbers(pool);
    test_make(tickets, pool);
    test_merge(tickets, pool);
    test_doubles(pool);
    test_long_words(pool);
    test_bounds(pool);
    test_rubbish(pool);
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_done();
}
