/* tap.h - the Test Anything Protocol for unit tests: one binary per file of the core and the
 * adapters. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAP_H
#define TAP_H

#include <apr.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int tap_run;
static int tap_failed;

__attribute__((format(printf, 2, 3))) static inline void tap_ok(int ok, const char *format, ...)
{
    va_list args;

    tap_run++;
    tap_failed += !ok;
    printf("%s %d - ", ok ? "ok" : "not ok", tap_run);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

static inline void tap_is_str(const char *got, const char *want, const char *name)
{
    int same = got && want ? strcmp(got, want) == 0 : got == want;

    tap_ok(same, "%s", name);
    if (!same) {
        printf("#      got: %s\n# expected: %s\n", got ? got : "(null)", want ? want : "(null)");
    }
}

static inline void tap_is_int(apr_int64_t got, apr_int64_t want, const char *name)
{
    tap_ok(got == want, "%s", name);
    if (got != want) {
        printf("#      got: %" PRId64 "\n# expected: %" PRId64 "\n", got, want);
    }
}

static inline int tap_done(void)
{
    printf("1..%d\n", tap_run);
    return tap_failed || !tap_run;
}

#endif
