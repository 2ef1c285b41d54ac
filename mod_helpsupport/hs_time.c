/* hs_time.c - layer 1: UTC microseconds <-> RFC 3339 text. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_time.h"

#define SECONDS_PER_DAY 86400
#define DAYS_PER_ERA 146097     /* 400 years, after which the calendar repeats */
#define DAYS_BEFORE_1970 719468 /* from 0000-03-01, where an era starts */

/* Calendar arithmetic counts years from 1 March, so that the leap day comes last in its year and
 * the months' lengths follow one linear formula ("Euclidean affine functions" by Neri and
 * Schneider, after Hinnant's days_from_civil). */
static apr_int64_t days_of(int year, int month, int day)
{
    /* One era up, so that January of year 0 is not negative. */
    int shifted = year + 400 - (month <= 2);
    int month_from_march = (month + 9) % 12;
    int year_of_era = shifted % 400;
    int day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return (apr_int64_t)(shifted / 400 - 1) * DAYS_PER_ERA + day_of_era - DAYS_BEFORE_1970;
}

static apr_int64_t floor_div(apr_int64_t dividend, apr_int64_t divisor)
{
    return dividend / divisor - (dividend % divisor < 0);
}

static char *put_digits(char *out, int count, int value)
{
    for (int i = count - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return out + count;
}

static char *put_date(char *out, apr_int64_t days)
{
    apr_int64_t from_march = days + DAYS_BEFORE_1970;
    apr_int64_t era = floor_div(from_march, DAYS_PER_ERA);
    int day_of_era = (int)(from_march - era * DAYS_PER_ERA);
    int year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int month_from_march = (5 * day_of_year + 2) / 153;
    int month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    int year = (int)(era * 400) + year_of_era + (month <= 2);

    out = put_digits(out, 4, year);
    *out++ = '-';
    out = put_digits(out, 2, month);
    *out++ = '-';
    return put_digits(out, 2, day_of_year - (153 * month_from_march + 2) / 5 + 1);
}

void hs_time_format(char out[HS_TIME_SIZE], apr_time_t us)
{
    apr_int64_t seconds = floor_div(us, APR_USEC_PER_SEC);
    apr_int64_t days = floor_div(seconds, SECONDS_PER_DAY);
    int clock = (int)(seconds - days * SECONDS_PER_DAY);

    out = put_date(out, days);
    *out++ = 'T';
    out = put_digits(out, 2, clock / 3600);
    *out++ = ':';
    out = put_digits(out, 2, clock / 60 % 60);
    *out++ = ':';
    out = put_digits(out, 2, clock % 60);
    *out++ = 'Z';
    *out = '\0';
}

static int is_digit(char octet)
{
    return octet >= '0' && octet <= '9';
}

/* Read exactly `count` digits whose value is `low` to `high`. */
static int read_number(int *value, const char **text, int count, int low, int high)
{
    *value = 0;
    for (int i = 0; i < count; i++) {
        char octet = **text;

        if (!is_digit(octet)) {
            return 0;
        }
        *value = *value * 10 + (octet - '0');
        (*text)++;
    }
    return *value >= low && *value <= high;
}

static int read_octet(const char **text, char wanted)
{
    if (**text != wanted) {
        return 0;
    }
    (*text)++;
    return 1;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int is_leap_year = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && is_leap_year);
}

static int read_date(apr_int64_t *days, const char **text)
{
    int year;
    int month;
    int day;

    if (!read_number(&year, text, 4, 0, 9999) || !read_octet(text, '-') ||
        !read_number(&month, text, 2, 1, 12) || !read_octet(text, '-') ||
        !read_number(&day, text, 2, 1, days_in_month(year, month))) {
        return 0;
    }
    *days = days_of(year, month, day);
    return 1;
}

static int read_clock(int *seconds, int *is_leap_second, const char **text)
{
    int hour;
    int minute;
    int second;

    if (!read_number(&hour, text, 2, 0, 23) || !read_octet(text, ':') ||
        !read_number(&minute, text, 2, 0, 59) || !read_octet(text, ':') ||
        !read_number(&second, text, 2, 0, 60)) {
        return 0;
    }
    *is_leap_second = second == 60;
    *seconds = hour * 3600 + minute * 60 + second - *is_leap_second;
    return 1;
}

static int read_fraction(int *us, const char **text)
{
    int unit = APR_USEC_PER_SEC / 10;

    *us = 0;
    if (!read_octet(text, '.')) {
        return 1;
    }
    if (!is_digit(**text)) {
        return 0;
    }
    for (; is_digit(**text); (*text)++) {
        *us += (**text - '0') * unit;
        unit /= 10;
    }
    return 1;
}

/* Seconds east of UTC. "-00:00" is legal: UTC, with the local offset unknown (RFC 3339 4.3). */
static int read_offset(int *seconds, const char **text)
{
    int sign;
    int hour;
    int minute;

    *seconds = 0;
    if (read_octet(text, 'Z') || read_octet(text, 'z')) {
        return 1;
    }
    sign = **text == '-' ? -1 : 1;
    if ((!read_octet(text, '+') && !read_octet(text, '-')) || !read_number(&hour, text, 2, 0, 23) ||
        !read_octet(text, ':') || !read_number(&minute, text, 2, 0, 59)) {
        return 0;
    }
    *seconds = sign * (hour * 3600 + minute * 60);
    return 1;
}

int hs_time_parse(apr_time_t *us, const char *text)
{
    apr_int64_t seconds;
    apr_int64_t days;
    int clock;
    int is_leap_second;
    int fraction;
    int offset;

    if (!read_date(&days, &text) || (!read_octet(&text, 'T') && !read_octet(&text, 't')) ||
        !read_clock(&clock, &is_leap_second, &text) || !read_fraction(&fraction, &text) ||
        !read_offset(&offset, &text) || *text) {
        return 0;
    }
    seconds = days * SECONDS_PER_DAY + clock - offset;
    /* A second 60 exists only before midnight in UTC, whatever the offset. */
    if (is_leap_second && (seconds + 1) % SECONDS_PER_DAY != 0) {
        return 0;
    }
    *us = seconds * APR_USEC_PER_SEC + fraction;
    return 1;
}
