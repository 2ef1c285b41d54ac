/* hs_token.c - layer 1: bearer tokens (contract 4): hst_ + 32 base62 + 6 of checksum. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_token.h"

#include <apr_escape.h>
#include <apr_general.h>
#include <apr_random.h>

#include <string.h>

#define PREFIX "hst_"
#define PREFIX_LENGTH 4
#define SECRET_LENGTH 32
#define CHECKSUM_LENGTH 6
#define DIGEST_OCTETS 32

static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* CRC-32 as in IEEE 802.3 and zlib, bit by bit: 32 octets don't pay for a table. */
static apr_uint32_t crc32_of(const char *octets, size_t length)
{
    apr_uint32_t crc = 0xFFFFFFFF;

    for (size_t i = 0; i < length; i++) {
        crc ^= (unsigned char)octets[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (0xEDB88320 & (0 - (crc & 1)));
        }
    }
    return ~crc;
}

static void put_checksum(char *out, const char *secret)
{
    apr_uint32_t crc = crc32_of(secret, SECRET_LENGTH);

    for (int i = CHECKSUM_LENGTH - 1; i >= 0; i--) {
        out[i] = alphabet[crc % 62];
        crc /= 62;
    }
}

int hs_token_make(char out[HS_TOKEN_SIZE])
{
    unsigned char octets[SECRET_LENGTH * 2];
    char *secret = out + PREFIX_LENGTH;
    int have = 0;

    memcpy(out, PREFIX, PREFIX_LENGTH);
    while (have < SECRET_LENGTH) {
        if (apr_generate_random_bytes(octets, sizeof(octets)) != APR_SUCCESS) {
            return 0;
        }
        for (size_t i = 0; i < sizeof(octets) && have < SECRET_LENGTH; i++) {
            /* 248 is the largest multiple of 62 in an octet: above it a modulo would be biased. */
            if (octets[i] < 248) {
                secret[have++] = alphabet[octets[i] % 62];
            }
        }
    }
    put_checksum(secret + SECRET_LENGTH, secret);
    out[HS_TOKEN_SIZE - 1] = '\0';
    return 1;
}

int hs_token_is_well_formed(const char *text)
{
    char checksum[CHECKSUM_LENGTH];
    const char *secret;

    if (strlen(text) != HS_TOKEN_SIZE - 1 || memcmp(text, PREFIX, PREFIX_LENGTH) != 0) {
        return 0;
    }
    secret = text + PREFIX_LENGTH;
    if (strspn(secret, alphabet) != SECRET_LENGTH + CHECKSUM_LENGTH) {
        return 0;
    }
    put_checksum(checksum, secret);
    return memcmp(checksum, secret + SECRET_LENGTH, CHECKSUM_LENGTH) == 0;
}

void hs_token_digest(char out[HS_TOKEN_DIGEST_SIZE], const char *token, apr_pool_t *pool)
{
    apr_crypto_hash_t *hash = apr_crypto_sha256_new(pool);
    unsigned char digest[DIGEST_OCTETS];

    hash->init(hash);
    hash->add(hash, token, strlen(token));
    hash->finish(hash, digest);
    apr_escape_hex(out, digest, sizeof(digest), 0, NULL);
}
