/* test_language.c - Accept-Language and our languages. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_language.h"

#include "tap.h"

#include <apr_general.h>

static apr_array_header_t *tags;

static void test_choice(void)
{
    static const struct {
        const char *field;
        const char *want;
    } cases[] = {
        {NULL, NULL},
        {"", NULL},
        {"de", "de"},
        {"DE", "de"},
        {"de-AT", "de"},
        {"de-Latn-AT-1996", "de"},
        {"de-x-private", "de"},
        {"deu", NULL},
        {"pt", NULL},
        {"pt-BR", "pt-br"},
        {"pt-BR-x-a", "pt-br"},
        {"es, de", "de"},
        {"fr;q=0.5, de;q=0.8", "de"},
        {"fr;q=0.8,de;q=0.8", "fr"},
        {"fr;q=0.801,de;q=0.80", "fr"},
        {" fr ; q=0.1 , en;Q=0.2\t", "en"},
        {"*", NULL},
        {"*, fr;q=0.1", "fr"},
        {"de;q=0, fr;q=0.001", "fr"},
        {"de;q=0.000", NULL},
        {"de;q=1.000", "de"},
        {"de;q=1.001, fr;q=0.1", "fr"},
        {"de;q=2, fr;q=0.1", "fr"},
        {"de;q=, fr;q=0.1", "fr"},
        {"de;q=0.1234, fr;q=0.1", "fr"},
        {"de;q=.9, fr;q=0.1", "fr"},
        {"de;q=0,5", NULL},
        {"de;level=1, fr;q=0.1", "fr"},
        {"de fr", NULL},
        {"de_AT, fr", "fr"},
        {",,, ,de,", "de"},
        {"-de, de-, x-de, i-de", NULL},
        {"de\xC3\xA4, fr", "fr"},
        {"abcdefghi, de", "de"},
        {"aa-bbbbbbbb-bbbbbbbb-bbbbbbbb-bbbbbbbb-bbbbbbbb, de", "de"},
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        tap_is_str(hs_language_choose(cases[i].field, tags), cases[i].want,
                   cases[i].field ? cases[i].field : "no field");
    }
}

static void test_tags(void)
{
    tap_ok(hs_language_is_tag("de", 2) && hs_language_is_tag("zh-Hant-TW", 10), "tags");
    tap_ok(hs_language_is_tag("de-1996", 7), "digits behind the language");
    tap_ok(!hs_language_is_tag("d", 1) && !hs_language_is_tag("", 0), "too short");
    tap_ok(!hs_language_is_tag("d1", 2) && !hs_language_is_tag("de.", 3), "other characters");
    tap_ok(!hs_language_is_tag("de--a", 5) && !hs_language_is_tag("de-", 3), "empty groups");
    tap_ok(!hs_language_is_tag("../..", 5), "no path");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    tags = apr_array_make(pool, 4, sizeof(const char *));
    APR_ARRAY_PUSH(tags, const char *) = "en";
    APR_ARRAY_PUSH(tags, const char *) = "de";
    APR_ARRAY_PUSH(tags, const char *) = "fr";
    APR_ARRAY_PUSH(tags, const char *) = "pt-br";
    test_choice();
    test_tags();
    return tap_done();
}
