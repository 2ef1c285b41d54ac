/* test_email.c - what counts as one e-mail address. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_email.h"

#include "tap.h"

#include <apr_escape.h>
#include <apr_general.h>
#include <apr_strings.h>

#define LOCAL_64 "a234567890123456789012345678901234567890123456789012345678901234"
#define LABEL_61 "b234567890123456789012345678901234567890123456789012345678901"
/* With LOCAL_64 and "@" this makes 254 octets. */
#define DOMAIN_189 LABEL_61 "." LABEL_61 "." LABEL_61 ".com"

static void test_accept(apr_pool_t *pool)
{
    static const char *const same[] = {
        "jane@example.com",
        "j@x.de",
        "jane.doe@example.com",
        "a.b.c.d@a.b.c.d.example",
        "jane+tag@example.com",
        "o'brien@example.com",
        "!#$%&'*+-/=?^_`{|}~@example.com",
        "-jane-@example.com",
        "123@example.com",
        "Jane.DOE@example.com",
        "jane@3com.x1",
        "jane@xn--bcher-kva.example",
        "jane@a-b.example",
    };

    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        tap_is_str(hs_email_normalize(same[i], pool), same[i], same[i]);
    }
    tap_is_str(hs_email_normalize("Jane@EXAMPLE.Com", pool), "Jane@example.com",
               "only the domain changes to lower case");
    tap_is_str(hs_email_normalize("u@b\xC3\xBC"
                                  "cher.example",
                                  pool),
               "u@xn--bcher-kva.example", "an IDN is converted");
    tap_is_str(hs_email_normalize("u@fa\xC3\x9F.de", pool), "u@xn--fa-hia.de", "sharp s stays");
}

static const char *const not_one_address[] = {
    "",
    "@",
    "jane",
    "jane@",
    "@example.com",
    "example.com",
    "jane@@example.com",
    "jane@doe@example.com",
    "jane@example",
    "jane@localhost",
    "jane@example.com.",
    "jane@.example.com",
    "jane@example..com",
    "jane@-example.com",
    "jane@example-.com",
    "jane@exa_mple.com",
    "jane@127.0.0.1",
    "jane@[127.0.0.1]",
    "jane@[IPv6:::1]",
    "jane@example.123",
    ".jane@example.com",
    "jane.@example.com",
    "jane..doe@example.com",
    ".@example.com",
    "jane doe@example.com",
    "jane @example.com",
    " jane@example.com",
    "jane@example.com ",
    "jane@ example.com",
    "jane@exam ple.com",
    "jane@example.com\r\nRCPT TO:<x@y.example>",
    "jane\r\n@example.com",
    "jane@example.com\n",
    "jane@example.com\r",
    "ja\tne@example.com",
    "jane@example.com,joe@example.com",
    "jane,joe@example.com",
    "jane@example.com;joe@example.com",
    "jane;joe@example.com",
    "\"jane doe\"@example.com",
    "\"jane\"@example.com",
    "jane\"@example.com",
    "<jane@example.com>",
    "Jane <jane@example.com>",
    "jane(comment)@example.com",
    "jane@example.com(comment)",
    "mailto:jane@example.com",
    "ja\\ne@example.com",
    "ja[ne@example.com",
    "ja\x01ne@example.com",
    "ja\x7Fne@example.com",
    "j\xC3\xA4ne@example.com",
    "jane@ex\xC3\xA4mple",
    "jane@ex\xC3\xA4mple.com\xE3\x80\x82",
    "jane\xEF\xBC\xA0x.example.com",
    "jane@joe\xEF\xBC\xA0x.example.com",
    "jane@\xFF.com",
    "jane@\xE2\x80\xA8.com",
};

static void test_refuse(apr_pool_t *pool)
{
    for (size_t i = 0; i < sizeof(not_one_address) / sizeof(not_one_address[0]); i++) {
        tap_is_str(
            hs_email_normalize(not_one_address[i], pool), NULL,
            apr_psprintf(pool, "refused: %s", apr_pescape_echo(pool, not_one_address[i], 1)));
    }
}

/* `count` labels of one letter: U+00FC takes two octets, and seven once converted. */
static const char *short_labels(int count, apr_pool_t *pool)
{
    const char *labels = "";

    for (int i = 0; i < count; i++) {
        labels = apr_pstrcat(pool, labels, "\xC3\xBC.", NULL);
    }
    return labels;
}

static void test_octets(apr_pool_t *pool)
{
    const char *longest = LOCAL_64 "@" DOMAIN_189;
    const char *local_64 = LOCAL_64 "@example.com";
    const char *fits = apr_pstrcat(pool, LOCAL_64 "@", short_labels(23, pool), "abcde", NULL);
    const char *grows = apr_pstrcat(pool, LOCAL_64 "@", short_labels(23, pool), "abcdef", NULL);
    const char *normalized = hs_email_normalize(fits, pool);

    tap_is_str(hs_email_normalize(local_64, pool), local_64, "a local part of 64 octets");
    tap_is_str(hs_email_normalize(LOCAL_64 "5@example.com", pool), NULL, "65 are too many");
    tap_is_int((apr_int64_t)strlen(longest), 254, "the longest address has 254 octets");
    tap_is_str(hs_email_normalize(longest, pool), longest, "and is accepted");
    tap_is_str(hs_email_normalize(LOCAL_64 "@x" DOMAIN_189, pool), NULL, "255 are not");
    tap_is_int(normalized ? (apr_int64_t)strlen(normalized) : 0, 254, "254 after conversion");
    tap_is_str(hs_email_normalize(grows, pool), NULL, "255 after conversion: refused");
}

static void test_fold(apr_pool_t *pool)
{
    tap_is_str(hs_email_fold("Jane.DOE+Tag@example.com", pool), "jane.doe+tag@example.com",
               "folded to lower case");
    tap_is_str(hs_email_fold("[@Z`{", pool), "[@z`{", "neighbours of the letters stay");
    tap_is_str(hs_email_fold("", pool), "", "empty");
}

static void test_recipient(apr_pool_t *pool)
{
    tap_is_str(hs_email_recipient("Jane.DOE+Tag+x@example.com", pool), "jane.doe@example.com",
               "without its tag");
    tap_is_str(hs_email_recipient("Jane@example.com", pool), "jane@example.com", "it has none");
    tap_is_str(hs_email_recipient("jane+@example.com", pool), "jane@example.com", "an empty one");
    tap_is_str(hs_email_recipient("+jane@example.com", pool), "+jane@example.com",
               "nothing would be left");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_accept(pool);
    test_refuse(pool);
    test_octets(pool);
    test_fold(pool);
    test_recipient(pool);
    apr_terminate();
    return tap_done();
}
