/* test_utf8.c - UTF-8 validity, trimming, control characters, words and names. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_utf8.h"

#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

static int is_valid(const char *text)
{
    return hs_utf8_is_valid(text, strlen(text));
}

static void test_valid(void)
{
    tap_ok(hs_utf8_is_valid("", 0), "empty");
    tap_ok(is_valid("plain ASCII, longer than one chunk of eight"), "ASCII");
    tap_ok(hs_utf8_is_valid("a\0b", 3), "NUL is an ordinary character");
    tap_ok(is_valid("\x7F\xC2\x80"), "U+007F, U+0080");
    tap_ok(is_valid("\xDF\xBF\xE0\xA0\x80"), "U+07FF, U+0800");
    tap_ok(is_valid("\xED\x9F\xBF\xEE\x80\x80"), "U+D7FF, U+E000, around the surrogates");
    tap_ok(is_valid("\xEF\xBF\xBF\xF0\x90\x80\x80"), "U+FFFF, U+10000");
    tap_ok(is_valid("\xF4\x8F\xBF\xBF"), "U+10FFFF");
    tap_ok(is_valid("12345678\xC3\xBC"
                    "12345678\xF0\x9F\x98\x80"),
           "non-ASCII between chunks");
}

static void test_invalid(void)
{
    static const struct {
        const char *octets;
        const char *why;
    } cases[] = {
        {"\x80", "lone continuation"},
        {"a\xBFz", "lone continuation between ASCII"},
        {"\xC3", "cut after one of two"},
        {"\xE2\x82", "cut after two of three"},
        {"\xF0\x9F\x98", "cut after three of four"},
        {"\xE2\x82z", "ASCII instead of the third octet"},
        {"\xC0\x80", "overlong NUL"},
        {"\xC0\xAF", "overlong slash in two"},
        {"\xC1\xBF", "overlong U+007F"},
        {"\xE0\x80\xAF", "overlong slash in three"},
        {"\xE0\x9F\xBF", "overlong U+07FF"},
        {"\xF0\x80\x80\xAF", "overlong slash in four"},
        {"\xF0\x8F\xBF\xBF", "overlong U+FFFF"},
        {"\xED\xA0\x80", "first surrogate"},
        {"\xED\xBF\xBF", "last surrogate"},
        {"\xED\xA0\xBD\xED\xB8\x80", "surrogate pair (CESU-8)"},
        {"\xF4\x90\x80\x80", "U+110000"},
        {"\xF5\x80\x80\x80", "0xF5"},
        {"\xF8\x88\x80\x80\x80", "five octets"},
        {"\xFE", "0xFE"},
        {"\xFF", "0xFF"},
        {"12345678\xFF", "behind a whole chunk of ASCII"},
        {"1234567\xFF", "last octet of a chunk"},
        {"\xC3\xBC"
         "12345678\xC3",
         "behind a valid character"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        tap_ok(!is_valid(cases[i].octets), "invalid: %s", cases[i].why);
    }
    tap_ok(!hs_utf8_is_valid("\xC3\xBC", 1), "`length` ends the text, not the NUL");
    tap_ok(hs_utf8_is_valid("a\xFF", 1), "nothing behind `length` is read");
}

static void test_length(void)
{
    tap_is_int((apr_int64_t)hs_utf8_length(""), 0, "length of nothing");
    tap_is_int((apr_int64_t)hs_utf8_length("abc"), 3, "length of ASCII");
    tap_is_int((apr_int64_t)hs_utf8_length("\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80"), 3,
               "two, three and four octets are one character each");
    tap_is_int((apr_int64_t)hs_utf8_length("\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x9A\x80"), 3,
               "a joined emoji counts its code points");
}

static void test_trim(apr_pool_t *pool)
{
    const char *clean = "no white space at the ends";

    tap_ok(hs_utf8_trim(clean, pool) == clean, "nothing to cut: the same pointer");
    tap_ok(hs_utf8_trim("  x", pool) != NULL, "cut at the start");
    tap_is_str(hs_utf8_trim("", pool), "", "empty");
    tap_is_str(hs_utf8_trim(" \t\n\v\f\r ", pool), "", "nothing but ASCII white space");
    tap_is_str(hs_utf8_trim("\xE3\x80\x80\xC2\x85", pool), "", "nothing but U+3000, U+0085");
    tap_is_str(hs_utf8_trim("\r\n a b \t", pool), "a b", "white space inside stays");
    tap_is_str(hs_utf8_trim("\xC2\x85x\xC2\x85", pool), "x", "U+0085");
    tap_is_str(hs_utf8_trim("\xC2\xA0x\xC2\xA0", pool), "x", "U+00A0");
    tap_is_str(hs_utf8_trim("\xE1\x9A\x80x\xE1\x9A\x80", pool), "x", "U+1680");
    tap_is_str(hs_utf8_trim("\xE2\x80\x80x\xE2\x80\x8A", pool), "x", "U+2000, U+200A");
    tap_is_str(hs_utf8_trim("\xE2\x80\xA8x\xE2\x80\xA9", pool), "x", "U+2028, U+2029");
    tap_is_str(hs_utf8_trim("\xE2\x80\xAFx\xE2\x81\x9F", pool), "x", "U+202F, U+205F");
    tap_is_str(hs_utf8_trim("\xE3\x80\x80 x \xE3\x80\x80", pool), "x", "U+3000 with spaces");
    tap_is_str(hs_utf8_trim("\xE2\x80\x8Bx\xE2\x80\x8B", pool), "\xE2\x80\x8Bx\xE2\x80\x8B",
               "U+200B is no white space");
    tap_is_str(hs_utf8_trim("\xEF\xBB\xBFx", pool), "\xEF\xBB\xBFx", "U+FEFF is no white space");
    tap_is_str(hs_utf8_trim("\xE1\xA0\x8Ex", pool), "\xE1\xA0\x8Ex", "U+180E is none any more");
    tap_is_str(hs_utf8_trim(" \xF0\x9F\x98\x80 ", pool), "\xF0\x9F\x98\x80", "emoji");
    tap_is_str(hs_utf8_trim(" \xC3\xA0", pool), "\xC3\xA0",
               "last octet 0xA0 of another character is not U+00A0");
}

static void test_control(void)
{
    char text[3] = "x?";
    int found = 0;

    for (char octet = 1; octet < 0x20; octet++) {
        text[1] = octet;
        found += hs_utf8_has_control(text, 0);
    }
    tap_is_int(found, 31, "U+0001 to U+001F are control characters");
    found = 0;
    for (char octet = 1; octet < 0x20; octet++) {
        text[1] = octet;
        found += hs_utf8_has_control(text, 1);
    }
    tap_is_int(found, 28, "with breaks allowed, all but tab, CR and LF");
    tap_ok(hs_utf8_has_control("\x7F", 1), "U+007F");
    tap_ok(hs_utf8_has_control("a\xC2\x80", 1), "U+0080");
    tap_ok(hs_utf8_has_control("\xC2\x85", 1), "U+0085, breaks allowed or not");
    tap_ok(hs_utf8_has_control("\xC2\x9F", 0), "U+009F");
    tap_ok(!hs_utf8_has_control("\xC2\xA0", 0), "U+00A0 is none");
    tap_ok(!hs_utf8_has_control("\xE2\x80\xA8", 0), "U+2028 is none (category Zl)");
    tap_ok(!hs_utf8_has_control("\xE2\x80\xAE", 0), "U+202E is none (category Cf)");
    tap_ok(!hs_utf8_has_control("", 0), "empty");
    tap_ok(!hs_utf8_has_control("a \xC3\xBC\xE4\xB8\x80\xF0\x9F\x98\x80~", 0), "text");
}

static void test_space(void)
{
    tap_ok(hs_utf8_has_space("a b"), "space");
    tap_ok(hs_utf8_has_space("a\n"), "line feed");
    tap_ok(hs_utf8_has_space("\xC2\xA0"), "U+00A0");
    tap_ok(hs_utf8_has_space("a\xE3\x80\x80"), "U+3000");
    tap_ok(!hs_utf8_has_space(""), "empty");
    tap_ok(!hs_utf8_has_space("auth0|64af-\xC3\xBC\xE2\x80\x8B"), "none");
    tap_ok(!hs_utf8_has_space("\xE2\x80"), "octets cut short are read no further than the NUL");
}

static void is_words(const char *text, const char *joined, apr_pool_t *pool)
{
    apr_array_header_t *words = hs_utf8_words(text, pool);

    tap_is_str(apr_array_pstrcat(pool, words, '|'), joined, joined);
}

static void test_words(apr_pool_t *pool)
{
    is_words("", "", pool);
    is_words(" ,;!", "", pool);
    is_words("Hello, World!", "hello|world", pool);
    is_words("x", "x", pool);
    is_words("a-b_c.d", "a|b|c|d", pool);
    is_words("jane@example.com", "jane|example|com", pool);
    is_words("v2.0 1st", "v2|0|1st", pool);
    is_words("M\xC3\xBCller M\xC3\x9CLLER", "m\xC3\xBCller|m\xC3\xBCller", pool);
    is_words("\xCE\xA3\xCF\x83\xCF\x82 \xC5\xBF", "\xCF\x83\xCF\x83\xCF\x83|s", pool);
    is_words("Mu\xCC\x88ller", "mu\xCC\x88ller", pool);
    is_words("\xCC\x88 \xCC\x88x", "x", pool);
    is_words("\xD0\xBF\xD1\x80\xD0\xB8\xD0\xB2\xD0\xB5\xD1\x82\xE2\x80\x94\xE4\xB8\xAD\xE6\x96\x87",
             "\xD0\xBF\xD1\x80\xD0\xB8\xD0\xB2\xD0\xB5\xD1\x82|\xE4\xB8\xAD\xE6\x96\x87", pool);
    is_words("\xD9\xA1\xD9\xA2 \xE2\x85\xA8 \xC2\xBD", "\xD9\xA1\xD9\xA2|\xE2\x85\xB8|\xC2\xBD",
             pool);
    is_words("ok\xF0\x9F\x98\x80ok", "ok|ok", pool);
    is_words("\xF0\xA0\x80\x80", "\xF0\xA0\x80\x80", pool);
    tap_is_int((apr_int64_t)strlen(APR_ARRAY_IDX(
                   hs_utf8_words(apr_psprintf(pool, "%0200d", 7), pool), 0, const char *)),
               84, "a long word is cut");
    tap_is_int(hs_utf8_words("a b c d e f", pool)->nelts, 6, "more words than the first room");
}

static void test_name(void)
{
    tap_ok(hs_utf8_is_name("Jane Doe"), "letters and space");
    tap_ok(hs_utf8_is_name("Dr. J.-P. O'Brien"), "full stop, hyphen, apostrophe");
    tap_ok(hs_utf8_is_name("Zo\xC3\xAB \xE7\x8E\x8B"), "letters of other scripts");
    tap_ok(hs_utf8_is_name("Zoe\xCC\x88"), "a mark");
    tap_ok(!hs_utf8_is_name("Jane 2"), "digit");
    tap_ok(!hs_utf8_is_name("http://evil.example"), "URL");
    tap_ok(!hs_utf8_is_name("a\nb"), "line feed");
    tap_ok(!hs_utf8_is_name("a\xC2\xA0"
                            "b"),
           "U+00A0");
    tap_ok(!hs_utf8_is_name("a<b"), "markup");
    tap_ok(!hs_utf8_is_name("\xF0\x9F\x98\x80"), "emoji");
    tap_ok(!hs_utf8_is_name("a\xE2\x80\xAE"
                            "b"),
           "U+202E, right-to-left override");
    tap_ok(!hs_utf8_is_name("\xD9\xA1"), "a digit of another script");
}

static void test_cut(apr_pool_t *pool)
{
    static const char fine[] = "J\xC3\xB6rg";

    tap_ok(hs_utf8_cut(fine, 4, pool) == fine, "what is short enough stays as it is");
    tap_is_str(hs_utf8_cut(fine, 3, pool), "J\xC3\xB6r", "more is cut");
    tap_is_str(hs_utf8_cut(fine, 2, pool), "J\xC3\xB6", "between characters");
    tap_is_str(hs_utf8_cut(fine, 1, pool), "J", "before one of two octets");
}

static void test_repair(apr_pool_t *pool)
{
    static const char fine[] = "J\xC3\xB6rg";

    tap_ok(hs_utf8_repair(fine, pool) == fine, "valid text stays as it is");
    tap_is_str(hs_utf8_repair("M\xFCller", pool), "M\xEF\xBF\xBDller", "Latin-1 is marked");
    tap_is_str(hs_utf8_repair("\xC3", pool), "\xEF\xBF\xBD", "so is half a character");
    tap_is_str(hs_utf8_repair("", pool), "", "nothing stays nothing");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_valid();
    test_invalid();
    test_length();
    test_trim(pool);
    test_control();
    test_space();
    test_words(pool);
    test_name();
    test_cut(pool);
    test_repair(pool);
    apr_terminate();
    return tap_done();
}
