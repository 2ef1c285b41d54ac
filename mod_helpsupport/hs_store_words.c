/* hs_store_words.c - layer 7: the words by which q finds a ticket, and those of q. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_buffer.h"
#include "hs_json.h"
#include "hs_store_int.h"
#include "hs_utf8.h"

#include <stdlib.h>
#include <string.h>

static void put_words(hs_buffer *text, const char *from, apr_pool_t *pool)
{
    const apr_array_header_t *words = hs_utf8_words(from, pool);

    for (int i = 0; i < words->nelts; i++) {
        hs_buffer_putc(text, ' ');
        hs_buffer_puts(text, APR_ARRAY_IDX(words, i, const char *));
    }
}

const char *hs_store_words(const hs_ticket *ticket, apr_pool_t *pool)
{
    hs_buffer text;
    hs_buffer json;

    hs_buffer_init(&text, 512, pool);
    put_words(&text, ticket->name, pool);
    put_words(&text, ticket->email, pool);
    put_words(&text, ticket->message, pool);
    hs_buffer_init(&json, text.length + 16, pool);
    hs_json_put_string(&json, text.data);
    return json.data;
}

static int by_length(const void *a, const void *b)
{
    size_t one = strlen(*(const char *const *)a);
    size_t other = strlen(*(const char *const *)b);

    return (one < other) - (one > other);
}

/* Whether another word begins with this one, so that it adds nothing but cost. */
static int is_implied(const apr_array_header_t *words, int index)
{
    const char *word = APR_ARRAY_IDX(words, index, const char *);
    size_t length = strlen(word);

    for (int i = 0; i < words->nelts; i++) {
        const char *other = APR_ARRAY_IDX(words, i, const char *);

        if (i != index && strncmp(other, word, length) == 0 && (other[length] || i < index)) {
            return 1;
        }
    }
    return 0;
}

const char **hs_store_search_words(const apr_array_header_t *all, apr_pool_t *pool)
{
    const char **words = apr_palloc(pool, ((apr_size_t)all->nelts + 1) * sizeof(*words));
    size_t count = 0;

    for (int i = 0; i < all->nelts; i++) {
        if (!is_implied(all, i)) {
            words[count++] = APR_ARRAY_IDX(all, i, const char *);
        }
    }
    qsort(words, count, sizeof(*words), by_length);
    words[count] = NULL;
    return words;
}
