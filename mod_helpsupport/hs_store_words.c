/* hs_store_words.c - layer 7: the words by which q finds a ticket, as the database has them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_buffer.h"
#include "hs_json.h"
#include "hs_sql.h"
#include "hs_store_int.h"
#include "hs_utf8.h"

/* What an index of ASCII letters takes. */
#define WORD_OCTETS_MAX 84

/* Octets above 127 as two letters each, A to P, which no folded word has; and two more in front,
 * for words of one or two letters. Beginnings of words stay beginnings. */
const char *hs_store_word(const hs_store *store, const char *word, apr_pool_t *pool)
{
    char *ascii;
    apr_size_t length = 2;

    if (*hs_store_sql(store, HS_SQL_MATCH_ASCII) != '1') {
        return word;
    }
    ascii = apr_palloc(pool, WORD_OCTETS_MAX + 3);
    ascii[0] = ascii[1] = 'Z';
    for (; *word && length < WORD_OCTETS_MAX; word++) {
        unsigned octet = (unsigned char)*word;

        if (octet < 0x80) {
            ascii[length++] = *word;
        } else {
            ascii[length++] = (char)('A' + (octet >> 4));
            ascii[length++] = (char)('A' + (octet & 15));
        }
    }
    ascii[length < WORD_OCTETS_MAX ? length : WORD_OCTETS_MAX] = '\0';
    return ascii;
}

static void put_words(const hs_store *store, hs_buffer *text, const char *from, apr_pool_t *pool)
{
    const apr_array_header_t *words = hs_utf8_words(from, pool);

    for (int i = 0; i < words->nelts; i++) {
        hs_buffer_putc(text, ' ');
        hs_buffer_puts(text, hs_store_word(store, APR_ARRAY_IDX(words, i, const char *), pool));
    }
}

const char *hs_store_words(const hs_store *store, const hs_ticket *ticket, apr_pool_t *pool)
{
    hs_buffer text;
    hs_buffer json;

    hs_buffer_init(&text, 512, pool);
    put_words(store, &text, ticket->name, pool);
    put_words(store, &text, ticket->email, pool);
    put_words(store, &text, ticket->message, pool);
    hs_buffer_init(&json, text.length + 16, pool);
    hs_json_put_string(&json, text.data);
    return json.data;
}
