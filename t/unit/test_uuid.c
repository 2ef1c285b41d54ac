/* test_uuid.c - UUIDv7 made, UUIDs of any version read. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_uuid.h"

#include "tap.h"

#include <apr_general.h>
#include <apr_pools.h>

#define NOW_US APR_INT64_C(1751630400123456)

static void test_form(void)
{
    char id[HS_UUID_SIZE];
    char again[HS_UUID_SIZE];

    tap_ok(hs_uuid_make(id, NOW_US), "made");
    tap_is_int((apr_int64_t)strlen(id), 36, "36 characters");
    tap_ok(strncmp(id, "0197d54e-ca7b-7", 15) == 0, "milliseconds, then version 7: %s", id);
    tap_ok(strchr("89ab", id[19]) != NULL, "variant 10");
    tap_ok(strspn(id, "0123456789abcdef-") == 36, "lower case");
    tap_ok(hs_uuid_parse(again, id), "can be read");
    tap_is_str(again, id, "and stays as it is");
}

static void test_example(void)
{
    char id[HS_UUID_SIZE];

    /* RFC 9562 appendix A.6. */
    hs_uuid_make(id, APR_INT64_C(1645557742000) * 1000);
    tap_ok(strncmp(id, "017f22e2-79b0-7", 15) == 0, "the RFC's own example: %s", id);
}

static void test_many(void)
{
    static const char hex[] = "0123456789abcdef";
    char last[HS_UUID_SIZE] = "";
    int unordered = 0;
    int malformed = 0;
    unsigned variants = 0;
    unsigned digits = 0;

    for (int i = 0; i < 2000; i++) {
        char id[HS_UUID_SIZE];

        hs_uuid_make(id, NOW_US + i * 1000);
        unordered += strcmp(last, id) >= 0;
        malformed += id[14] != '7' || !strchr("89ab", id[19]);
        variants |= 1u << (strchr(hex, id[19]) - hex);
        digits |= 1u << (strchr(hex, id[15]) - hex);
        memcpy(last, id, sizeof(last));
    }
    tap_is_int(unordered, 0, "later milliseconds sort later");
    tap_is_int(malformed, 0, "version and variant bits always stand");
    tap_is_int((apr_int64_t)variants, 0x0F00, "the bits beside the variant are random");
    tap_is_int((apr_int64_t)digits, 0xFFFF, "those beside the version, too");
}

static void test_random(void)
{
    char one[HS_UUID_SIZE];
    char other[HS_UUID_SIZE];

    hs_uuid_make(one, NOW_US);
    hs_uuid_make(other, NOW_US);
    tap_ok(strncmp(one, other, 13) == 0, "same millisecond, same prefix");
    tap_ok(strcmp(one + 20, other + 20) != 0, "same millisecond, other random bits");
}

static void test_parse(void)
{
    char id[HS_UUID_SIZE];

    tap_ok(hs_uuid_parse(id, "F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6"), "version 1, upper case");
    tap_is_str(id, "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "comes out in lower case");
    tap_ok(hs_uuid_parse(id, "919108f7-52d1-4320-9bac-f847db4148a8"), "version 4");
    tap_ok(hs_uuid_parse(id, "00000000-0000-0000-0000-000000000000"), "nil");
    tap_ok(hs_uuid_parse(id, "ffffffff-ffff-ffff-ffff-ffffffffffff"), "max");
}

static void test_refuse(void)
{
    static const char *const cases[] = {
        "",
        "42",
        "919108f752d143209bacf847db4148a8",
        "919108f7-52d1-4320-9bac-f847db4148a",
        "919108f7-52d1-4320-9bac-f847db4148a88",
        "919108f7-52d1-4320-9bac-f847db4148a8 ",
        " 919108f7-52d1-4320-9bac-f847db4148a8",
        "{919108f7-52d1-4320-9bac-f847db4148a8}",
        "urn:uuid:919108f7-52d1-4320-9bac-f847db4148a8",
        "919108f7-52d1-4320-9bac-f847db4148ag",
        "919108f7-52d1-4320-9bac-f847db4148a\xC3",
        "919108f7-52d1-4320-9bacaf847db4148a8",
        "-919108f-52d1-4320-9bac-f847db4148a8",
        "919108f7_52d1_4320_9bac_f847db4148a8",
        "------------------------------------",
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char id[HS_UUID_SIZE];

        tap_ok(!hs_uuid_parse(id, cases[i]), "refused: \"%s\"", cases[i]);
    }
}

int main(void)
{
    apr_initialize();
    test_form();
    test_example();
    test_many();
    test_random();
    test_parse();
    test_refuse();
    apr_terminate();
    return tap_done();
}
