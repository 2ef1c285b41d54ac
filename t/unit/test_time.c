/* test_time.c - RFC 3339 in both directions. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_time.h"

#include "tap.h"

#include <apr_general.h>
#include <apr_pools.h>

#define YEAR_0 APR_INT64_C(-62167219200)
#define YEAR_10000 APR_INT64_C(253402300800)

static void is_format(apr_int64_t us, const char *want)
{
    char text[HS_TIME_SIZE];

    hs_time_format(text, us);
    tap_is_str(text, want, want);
}

static void test_format(void)
{
    is_format(0, "1970-01-01T00:00:00Z");
    is_format(APR_INT64_C(1751630400) * 1000000, "2025-07-04T12:00:00Z");
    is_format(APR_INT64_C(1751630400) * 1000000 + 999999, "2025-07-04T12:00:00Z");
    is_format(-1, "1969-12-31T23:59:59Z");
    is_format(-1000000, "1969-12-31T23:59:59Z");
    is_format(-1000001, "1969-12-31T23:59:58Z");
    is_format(APR_INT64_C(951782400) * 1000000, "2000-02-29T00:00:00Z");
    is_format(APR_INT64_C(951868800) * 1000000, "2000-03-01T00:00:00Z");
    is_format(APR_INT64_C(4107542400) * 1000000, "2100-03-01T00:00:00Z");
    is_format(APR_INT64_C(4107542399) * 1000000, "2100-02-28T23:59:59Z");
    is_format(YEAR_0 * 1000000, "0000-01-01T00:00:00Z");
    is_format((YEAR_10000 - 1) * 1000000, "9999-12-31T23:59:59Z");
}

/* Every day of ten thousand years, by a calendar that only counts. */
static void test_every_day(void)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    apr_int64_t seconds = YEAR_0;
    int wrong = 0;

    for (int year = 0; year <= 9999; year++) {
        int is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

        for (int month = 1; month <= 12; month++) {
            int length = lengths[month - 1] + (is_leap && month == 2);

            for (int day = 1; day <= length; day++) {
                char want[64];
                char got[HS_TIME_SIZE];
                apr_time_t us = 1;

                snprintf(want, sizeof(want), "%04d-%02d-%02dT00:00:00Z", year, month, day);
                hs_time_format(got, seconds * 1000000);
                wrong +=
                    strcmp(got, want) != 0 || !hs_time_parse(&us, want) || us != seconds * 1000000;
                seconds += 86400;
            }
        }
    }
    tap_is_int(wrong, 0, "every day from 0000-01-01 to 9999-12-31 in both directions");
    tap_is_int(seconds, YEAR_10000, "and the days add up");
}

static void is_parse(const char *text, apr_int64_t want_us)
{
    apr_time_t us = 0;

    tap_ok(hs_time_parse(&us, text), "read: %s", text);
    tap_is_int(us, want_us, text);
}

static void test_parse(void)
{
    const apr_int64_t noon = APR_INT64_C(1751630400) * 1000000;

    is_parse("2025-07-04T12:00:00Z", noon);
    is_parse("2025-07-04t12:00:00z", noon);
    is_parse("2025-07-04T12:00:00+00:00", noon);
    is_parse("2025-07-04T12:00:00-00:00", noon);
    is_parse("2025-07-04T14:00:00+02:00", noon);
    is_parse("2025-07-04T06:30:00-05:30", noon);
    is_parse("2025-07-05T02:00:00+14:00", noon);
    is_parse("2025-07-03T12:01:00-23:59", noon);
    is_parse("2025-07-04T12:00:00.5Z", noon + 500000);
    is_parse("2025-07-04T12:00:00.000001Z", noon + 1);
    is_parse("2025-07-04T12:00:00.1234567899999999999999999Z", noon + 123456);
    is_parse("2025-07-04T12:00:00.0000009Z", noon);
    is_parse("2025-07-04T12:00:00.25+00:00", noon + 250000);
    is_parse("1969-12-31T23:59:59.5Z", -500000);
    is_parse("2024-02-29T00:00:00Z", APR_INT64_C(1709164800) * 1000000);
    is_parse("0000-01-01T00:00:00Z", YEAR_0 * 1000000);
    is_parse("9999-12-31T23:59:59Z", (YEAR_10000 - 1) * 1000000);
    is_parse("0000-01-01T00:00:00+01:00", (YEAR_0 - 3600) * 1000000);
    is_parse("9999-12-31T23:59:59-01:00", (YEAR_10000 + 3599) * 1000000);
    is_parse("2016-12-31T23:59:60Z", APR_INT64_C(1483228799) * 1000000);
    is_parse("2016-12-31T23:59:60.75Z", APR_INT64_C(1483228799) * 1000000 + 750000);
    is_parse("2017-01-01T05:29:60+05:30", APR_INT64_C(1483228799) * 1000000);
}

static void test_refuse(void)
{
    static const char *const cases[] = {
        "",
        "2025",
        "2025-07-04",
        "2025-07-04T12:00:00",
        "2025-07-04T12:00Z",
        "2025-07-04 12:00:00Z",
        "2025-07-04T12:00:00 Z",
        " 2025-07-04T12:00:00Z",
        "2025-07-04T12:00:00Z ",
        "2025-07-04T12:00:00ZZ",
        "2025-07-04T12:00:00.Z",
        "2025-07-04T12:00:00,5Z",
        "2025-07-04T12:00:00.5",
        "2025-07-04T12:00:00+0200",
        "2025-07-04T12:00:00+02",
        "2025-07-04T12:00:00+24:00",
        "2025-07-04T12:00:00+02:60",
        "2025-07-04T12:00:00*02:00",
        "2025-07-04T24:00:00Z",
        "2025-07-04T12:60:00Z",
        "2025-07-04T12:00:61Z",
        "2025-07-04T12:00:60Z",
        "2016-12-31T23:59:60+01:00",
        "2025-00-04T12:00:00Z",
        "2025-13-04T12:00:00Z",
        "2025-07-00T12:00:00Z",
        "2025-07-32T12:00:00Z",
        "2025-06-31T12:00:00Z",
        "2025-02-29T12:00:00Z",
        "1900-02-29T12:00:00Z",
        "2024-02-30T12:00:00Z",
        "+2025-07-04T12:00:00Z",
        "-2025-07-04T12:00:00Z",
        "12025-07-04T12:00:00Z",
        "25-07-04T12:00:00Z",
        "2025-7-04T12:00:00Z",
        "2025-07-4T12:00:00Z",
        "2025-07-04T1:00:00Z",
        "20250704T120000Z",
        "2025-W27-5T12:00:00Z",
        "\xD9\xA2\xD9\xA0\xD9\xA2\xD9\xA5-07-04T12:00:00Z",
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        apr_time_t us;

        tap_ok(!hs_time_parse(&us, cases[i]), "refused: \"%s\"", cases[i]);
    }
}

/* Each proper prefix is refused and nothing behind its NUL is read. */
static void test_prefixes(void)
{
    const char *text = "2025-07-04T12:00:00.5+02:00";
    int accepted = 0;
    char copy[32];

    for (size_t length = 0; length < strlen(text); length++) {
        apr_time_t us;

        memset(copy, '0', sizeof(copy));
        memcpy(copy, text, length);
        copy[length] = '\0';
        accepted += hs_time_parse(&us, copy);
    }
    tap_is_int(accepted, 0, "no prefix of a time is one");
}

int main(void)
{
    apr_initialize();
    test_format();
    test_every_day();
    test_parse();
    test_refuse();
    test_prefixes();
    apr_terminate();
    return tap_done();
}
