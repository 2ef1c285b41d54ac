/* hs_uuid.c - layer 1: UUIDs (RFC 9562). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_uuid.h"

#include <apr_general.h>

#define UUID_OCTETS 16
#define TIME_OCTETS 6

static int is_hyphen_place(int at)
{
    return at == 8 || at == 13 || at == 18 || at == 23;
}

static void put_uuid(char out[HS_UUID_SIZE], const unsigned char octets[UUID_OCTETS])
{
    static const char hex[] = "0123456789abcdef";
    int at = 0;

    for (int i = 0; i < UUID_OCTETS; i++) {
        if (is_hyphen_place(at)) {
            out[at++] = '-';
        }
        out[at++] = hex[octets[i] >> 4];
        out[at++] = hex[octets[i] & 0x0F];
    }
    out[at] = '\0';
}

int hs_uuid_make(char out[HS_UUID_SIZE], apr_time_t now_us)
{
    unsigned char octets[UUID_OCTETS];
    apr_uint64_t ms = (apr_uint64_t)(now_us / 1000);

    if (apr_generate_random_bytes(octets + TIME_OCTETS, UUID_OCTETS - TIME_OCTETS) != APR_SUCCESS) {
        return 0;
    }
    for (int i = TIME_OCTETS - 1; i >= 0; i--) {
        octets[i] = (unsigned char)(ms & 0xFF);
        ms >>= 8;
    }
    octets[6] = (unsigned char)(0x70 | (octets[6] & 0x0F)); /* version 7 */
    octets[8] = (unsigned char)(0x80 | (octets[8] & 0x3F)); /* variant 10 */
    put_uuid(out, octets);
    return 1;
}

/* The lower-case form of a hex digit; NUL for all else. */
static char lower_hex(char octet)
{
    if ((octet >= '0' && octet <= '9') || (octet >= 'a' && octet <= 'f')) {
        return octet;
    }
    return octet >= 'A' && octet <= 'F' ? (char)(octet - 'A' + 'a') : '\0';
}

int hs_uuid_parse(char out[HS_UUID_SIZE], const char *text)
{
    for (int i = 0; i < HS_UUID_SIZE - 1; i++) {
        if (is_hyphen_place(i)) {
            out[i] = text[i] == '-' ? '-' : '\0';
        } else {
            out[i] = lower_hex(text[i]);
        }
        if (!out[i]) {
            return 0;
        }
    }
    out[HS_UUID_SIZE - 1] = '\0';
    return text[HS_UUID_SIZE - 1] == '\0';
}
