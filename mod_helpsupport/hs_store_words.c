/* hs_store_words.c - layer 7: the words by which q finds a ticket, as the database has them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_buffer.h"
#include "hs_json.h"
#include "hs_sql.h"
#include "hs_store_int.h"
#include "hs_utf8.h"

/* What an index of ASCII letters takes. */
#define WORD_OCTETS_MAX 84

/* Octets above 127 as hexadecimal digits between underlines, which no word has; and two letters in
 * front, for words of one or two letters. Beginnings of words stay beginnings. All in lower case,
 * because InnoDB keeps the case of what is inserted but not when it builds its index anew, as after
 * ALTER TABLE (tried, 10.11): it then found nothing. */
const char *hs_store_word(const hs_store *store, const char *word, apr_pool_t *pool)
{
    static const char digits[] = "0123456789abcdef";
    char *ascii;
    apr_size_t length = 2;
    int is_hex = 0;

    if (*hs_store_sql(store, HS_SQL_MATCH_ASCII) != '1') {
        return word;
    }
    ascii = apr_palloc(pool, WORD_OCTETS_MAX + 4);
    ascii[0] = ascii[1] = 'z';
    for (; *word && length < WORD_OCTETS_MAX; word++) {
        unsigned octet = (unsigned char)*word;

        if (is_hex != (octet >= 0x80)) {
            is_hex = !is_hex;
            ascii[length++] = '_';
        }
        if (is_hex) {
            ascii[length++] = digits[octet >> 4];
            ascii[length++] = digits[octet & 15];
        } else {
            ascii[length++] = *word;
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
