/* hs_email.c - layer 2: one e-mail address, as strict as sending it needs (RFC 5321, 5322). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_email.h"

#include "hs_idn.h"

#include <apr_strings.h>

#include <string.h>

static int is_digit(char octet)
{
    return octet >= '0' && octet <= '9';
}

/* atext of RFC 5322 3.2.3. */
static int is_atom_octet(char octet)
{
    return (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z') || is_digit(octet) ||
           (octet && strchr("!#$%&'*+-/=?^_`{|}~", octet));
}

static int is_dot_atom(const char *text, apr_size_t length)
{
    int after_atom = 0;

    for (apr_size_t i = 0; i < length; i++) {
        int is_dot = text[i] == '.';

        if (is_dot ? !after_atom : !is_atom_octet(text[i])) {
            return 0;
        }
        after_atom = !is_dot;
    }
    return after_atom;
}

/* Two labels or more, the last one not all digits: that would be an IPv4 address, not the name of
 * a host (RFC 1123 2.1). `host` has passed hs_idn_to_ascii. */
static int is_qualified(const char *host)
{
    const char *dot = strrchr(host, '.');

    return dot && dot[1 + strspn(dot + 1, "0123456789")] != '\0';
}

const char *hs_email_normalize(const char *text, apr_pool_t *pool)
{
    const char *at = strchr(text, '@');
    apr_size_t local_length = at ? (apr_size_t)(at - text) : 0;
    const char *domain;
    const char *address;

    if (local_length < 1 || local_length > HS_EMAIL_LOCAL_MAX_OCTETS ||
        !is_dot_atom(text, local_length)) {
        return NULL;
    }
    domain = hs_idn_to_ascii(at + 1, pool);
    if (!domain || !is_qualified(domain)) {
        return NULL;
    }
    address = apr_pstrcat(pool, apr_pstrmemdup(pool, text, local_length), "@", domain, NULL);
    return strlen(address) <= HS_EMAIL_MAX_OCTETS ? address : NULL;
}

const char *hs_email_fold(const char *address, apr_pool_t *pool)
{
    char *folded = apr_pstrdup(pool, address);

    for (char *at = folded; *at; at++) {
        if (*at >= 'A' && *at <= 'Z') {
            *at = (char)(*at - 'A' + 'a');
        }
    }
    return folded;
}

const char *hs_email_recipient(const char *address, apr_pool_t *pool)
{
    const char *folded = hs_email_fold(address, pool);
    apr_size_t plus = strcspn(folded, "+@");

    if (plus == 0 || folded[plus] != '+') {
        return folded;
    }
    return apr_pstrcat(pool, apr_pstrmemdup(pool, folded, plus), strchr(folded, '@'), NULL);
}
