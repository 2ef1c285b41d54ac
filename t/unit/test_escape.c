/* test_escape.c - untrusted text: what is left out, escaped, made inert. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_escape.h"

#include "tap.h"

#include <apr_general.h>

static apr_pool_t *pool;

static const char *apply(void (*escape)(hs_buffer *, const char *), const char *text)
{
    hs_buffer out;

    hs_buffer_init(&out, 1, pool);
    escape(&out, text);
    return out.data;
}

static void test_characters(void)
{
    tap_is_str(apply(hs_escape_text, "a\tb\r\nc\rd\ne\xE2\x80\xA8"
                                     "f\xE2\x80\xA9g\xC2\x85h"),
               "a\tb\nc\nd\ne\nf\ng\nh", "line breaks");
    tap_is_str(apply(hs_escape_line, "a\tb\r\nc"), "a b c", "on one line");
    tap_is_str(apply(hs_escape_text, "\x01\x1F\x7F\xC2\x80\xC2\x9F|\xC2\xA0"), "|\xC2\xA0",
               "control characters");
    tap_is_str(apply(hs_escape_text, "\xE2\x80\xA7\xE2\x80\xAA\xE2\x80\xAE\xE2\x80\xAF"),
               "\xE2\x80\xA7\xE2\x80\xAF", "embeddings and overrides");
    tap_is_str(apply(hs_escape_text, "\xE2\x81\xA5\xE2\x81\xA6\xE2\x81\xA9\xE2\x81\xAA"),
               "\xE2\x81\xA5\xE2\x81\xAA", "isolates");
    tap_is_str(apply(hs_escape_text, "\xE2\x80\x8F\xF0\x9F\x98\x80\xD7\x90"),
               "\xE2\x80\x8F\xF0\x9F\x98\x80\xD7\x90", "other characters stay");
    tap_is_str(apply(hs_escape_text, "\xE2\x80"), "\xE2\x80", "a cut character ends at its NUL");
    tap_is_str(apply(hs_escape_text, "\xC2"), "\xC2", "this one too");
    tap_is_str(apply(hs_escape_url, "a\r\nb&c=%"), "a%0Ab%26c%3D%25", "in a URL");
}

static void test_inert(void)
{
    static const char *const pairs[][2] = {
        {"see https://evil.example/x", "see https: //evil. example/x"},
        {"www.evil.com", "www. evil. com"},
        {"a@evil.com", "a@evil. com"},
        {"evil.\xD1\x80\xD1\x84", "evil. \xD1\x80\xD1\x84"},
        {"J.R.R. Tolkien", "J.R.R. Tolkien"},
        {"version 2.4.71, 3.14", "version 2.4.71, 3.14"},
        {"End. Next... ok.", "End. Next... ok."},
        {"a: //b", "a: //b"},
        {"", ""},
    };
    size_t i;

    for (i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
        tap_is_str(apply(hs_escape_inert, pairs[i][0]), pairs[i][1], pairs[i][0]);
    }
}

static void test_join(void)
{
    hs_buffer out;

    hs_buffer_init(&out, 1, pool);
    hs_buffer_puts(&out, "kept \n  a \n\t b  ");
    hs_escape_join_lines(&out, 5, 99);
    tap_is_str(out.data, "kept a b", "white space joined, from an offset");
    hs_escape_join_lines(&out, 5, 2);
    tap_is_str(out.data, "kept a", "cut, and no space at the end");
    tap_is_int((apr_int64_t)out.length, 6, "length");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_characters();
    test_inert();
    test_join();
    return tap_done();
}
