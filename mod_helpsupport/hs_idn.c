/* hs_idn.c - layer 1: international host names (libidn2, the only file that sees it). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_idn.h"

#include <apr_strings.h>

#include <idn2.h>

#include <string.h>

#define HOST_MAX_OCTETS 253
#define LABEL_MAX_OCTETS 63

static int is_ascii(const char *text)
{
    while (*text && !((unsigned char)*text & 0x80)) {
        text++;
    }
    return !*text;
}

static int is_letter_or_digit(char octet)
{
    return (octet >= 'a' && octet <= 'z') || (octet >= '0' && octet <= '9');
}

static int is_label(const char *label, apr_size_t length)
{
    if (length < 1 || length > LABEL_MAX_OCTETS || label[0] == '-' || label[length - 1] == '-') {
        return 0;
    }
    for (apr_size_t i = 0; i < length; i++) {
        if (!is_letter_or_digit(label[i]) && label[i] != '-') {
            return 0;
        }
    }
    return 1;
}

/* Whether a lower-case ASCII name keeps the rules for host names (RFC 1123 2.1). */
static int is_host_name(const char *host)
{
    if (strlen(host) > HOST_MAX_OCTETS) {
        return 0;
    }
    for (;;) {
        apr_size_t length = strcspn(host, ".");

        if (!is_label(host, length)) {
            return 0;
        }
        if (!host[length]) {
            return 1;
        }
        host += length + 1;
    }
}

static char *lower_ascii(const char *text, apr_pool_t *pool)
{
    char *copy = apr_pstrdup(pool, text);

    for (char *at = copy; *at; at++) {
        if (*at >= 'A' && *at <= 'Z') {
            *at = (char)(*at - 'A' + 'a');
        }
    }
    return copy;
}

static const char *convert(const char *host, apr_pool_t *pool)
{
    /* Not IDN2_USE_STD3_ASCII_RULES: libidn2 2.3.3 then drops the octets that those rules forbid
     * instead of refusing the name, so that "b\u00FC,x.example" would become another host. The
     * rules are is_host_name's to check: Punycode leaves ASCII as it is. */
    const int flags = IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL;
    uint8_t *converted = NULL;
    const char *copy;

    if (idn2_lookup_u8((const uint8_t *)host, &converted, flags) != IDN2_OK) {
        return NULL;
    }
    copy = lower_ascii((const char *)converted, pool);
    idn2_free(converted);
    return copy;
}

const char *hs_idn_to_ascii(const char *host, apr_pool_t *pool)
{
    const char *name;

    /* No name that fits is longer, a code point having at most four octets; and Punycode takes
     * quadratic time, which must not be for the client to choose. */
    if (strlen(host) > HOST_MAX_OCTETS * 4) {
        return NULL;
    }
    name = is_ascii(host) ? lower_ascii(host, pool) : convert(host, pool);
    return name && is_host_name(name) ? name : NULL;
}
