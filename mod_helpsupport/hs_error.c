/* hs_error.c - layer 0: the one error type that every fallible function returns. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_error.h"

#include <apr_strings.h>

#include <stdarg.h>

hs_error *hs_error_make(apr_pool_t *pool, hs_code code, const char *format, ...)
{
    hs_error *error = apr_palloc(pool, sizeof(*error));
    va_list args;

    va_start(args, format);
    error->code = code;
    error->text = apr_pvsprintf(pool, format, args);
    va_end(args);
    return error;
}
