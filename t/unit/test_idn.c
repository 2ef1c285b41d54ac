/* test_idn.c - international host names. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_idn.h"

#include "tap.h"

#include <apr_escape.h>
#include <apr_general.h>
#include <apr_strings.h>

#define LABEL_63 "a23456789012345678901234567890123456789012345678901234567890123"

static void test_ascii(apr_pool_t *pool)
{
    const char *octets_253 = LABEL_63 "." LABEL_63 "." LABEL_63 "."
                                      "12345678901234567890123456789"
                                      "0123456789012345678901234567890x";

    tap_is_str(hs_idn_to_ascii("example.com", pool), "example.com", "as it is");
    tap_is_str(hs_idn_to_ascii("EXAMPLE.Com", pool), "example.com", "lower case");
    tap_is_str(hs_idn_to_ascii("localhost", pool), "localhost", "one label");
    tap_is_str(hs_idn_to_ascii("a-b.c--d.3com.e", pool), "a-b.c--d.3com.e", "hyphens, digits");
    tap_is_str(hs_idn_to_ascii("xn--bcher-kva.example", pool), "xn--bcher-kva.example", "A-label");
    tap_is_str(hs_idn_to_ascii(LABEL_63 ".de", pool), LABEL_63 ".de", "label of 63");
    tap_is_str(hs_idn_to_ascii(LABEL_63 "4.de", pool), NULL, "label of 64");
    tap_is_int((apr_int64_t)strlen(octets_253), 253, "the longest name has 253 octets");
    tap_is_str(hs_idn_to_ascii(octets_253, pool), octets_253, "and passes");
    tap_is_str(hs_idn_to_ascii(apr_pstrcat(pool, octets_253, "y", NULL), pool), NULL, "254 don't");
}

static void test_international(apr_pool_t *pool)
{
    tap_is_str(hs_idn_to_ascii("b\xC3\xBC"
                               "cher.example",
                               pool),
               "xn--bcher-kva.example", "U+00FC");
    tap_is_str(hs_idn_to_ascii("B\xC3\x9C"
                               "CHER.Example",
                               pool),
               "xn--bcher-kva.example", "upper case is the same name");
    tap_is_str(hs_idn_to_ascii("bu\xCC\x88"
                               "cher.example",
                               pool),
               "xn--bcher-kva.example", "decomposed is the same name");
    tap_is_str(hs_idn_to_ascii("fa\xC3\x9F.de", pool), "xn--fa-hia.de",
               "sharp s stays (non-transitional)");
    tap_is_str(hs_idn_to_ascii("\xCE\xB2\xCF\x8C\xCE\xBB\xCE\xBF\xCF\x82.com", pool),
               "xn--nxasmm1c.com", "final sigma stays");
    tap_is_str(hs_idn_to_ascii("\xE4\xBE\x8B\xE3\x81\x88.jp", pool), "xn--r8jz45g.jp", "Japanese");
    tap_is_str(hs_idn_to_ascii("\xE4\xBE\x8B\xE3\x81\x88\xE3\x80\x82jp", pool), "xn--r8jz45g.jp",
               "ideographic full stop");
    tap_is_str(hs_idn_to_ascii("\xEF\xBD\x81.example", pool), "a.example", "full-width letter");
    tap_is_str(hs_idn_to_ascii("www.\xD0\xBF\xD1\x80\xD0\xB8\xD0\xBC\xD0\xB5\xD1\x80.com", pool),
               "www.xn--e1afmkfd.com", "ASCII and other labels mixed");
}

static void test_refuse(apr_pool_t *pool)
{
    static const char *const cases[] = {
        "",
        ".",
        ".com",
        "example.",
        "example..com",
        "-a.com",
        "a-.com",
        "a.-",
        "a_b.com",
        "a b.com",
        "a,b.com",
        "a@b.com",
        "a\r\n.com",
        "a.com\n",
        "[127.0.0.1]",
        "a/b.com",
        "\xC3\xBC-.com",
        "-\xC3\xBC.com",
        "\xC3\xBC..com",
        "\xC3\xBC.com.",
        "\xC3\xBC.com\xE3\x80\x82",
        "\xC3\xBC_a.com",
        "\xC3\xBC a.com",
        "\xC3\xBC,a.com",
        "\xC3\xBC\r\n.com",
        "a\xEF\xBC\xA0z.com",
        "a\xE2\x84\x80z.com",
        "\xCC\x88z.com",
        "a\xE2\x80\xAE.com",
        "\xC3\xBC\xE2\x80\x8B\xEF\xBF\xBD.com",
        "\xC3.com",
        "\xED\xA0\x80.com",
        "xn--\xC3\xBC.com",
        "\xC2\xAD",
        "\xE3\x80\x80.com",
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        tap_is_str(hs_idn_to_ascii(cases[i], pool), NULL, apr_pescape_echo(pool, cases[i], 1));
    }
}

static void test_long(apr_pool_t *pool)
{
    apr_size_t octets = 100000;
    char *host = apr_palloc(pool, octets + 1);
    char label[121];

    for (apr_size_t i = 0; i < octets; i += 2) {
        memcpy(host + i, "\xC3\xBC", 2);
    }
    host[octets] = '\0';
    tap_is_str(hs_idn_to_ascii(host, pool), NULL, "50,000 letters are refused at once");
    memcpy(label, host, 120);
    label[120] = '\0';
    tap_is_str(hs_idn_to_ascii(apr_pstrcat(pool, label, ".de", NULL), pool), NULL,
               "a label of 60 letters is too long once converted");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_ascii(pool);
    test_international(pool);
    test_refuse(pool);
    test_long(pool);
    apr_terminate();
    return tap_done();
}
