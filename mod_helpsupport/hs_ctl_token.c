/* hs_ctl_token.c - layer 10: helpsupportctl's commands on admin tokens. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_ctl_token.h"

#include "hs_store_token.h"
#include "hs_time.h"
#include "hs_token.h"
#include "hs_utf8.h"

#include <stdio.h>
#include <string.h>

#define NAME_MAX_OCTETS 64
#define DIGEST_SHOWN 8 /* as many as the log shows */

/* White space would break the columns of `token list`, control characters a terminal or a log. */
static int is_name(const char *name)
{
    size_t length = strlen(name);

    return length > 0 && length <= NAME_MAX_OCTETS && hs_utf8_is_valid(name, length) &&
           !hs_utf8_has_space(name) && !hs_utf8_has_control(name, 0);
}

/* Take the one word that must be a token's name. Returns NULL after saying what is wrong. */
static const char *take_name(hs_ctl *ctl)
{
    const char *name = hs_ctl_take_word(ctl);

    if (!hs_ctl_took_all(ctl)) {
        return NULL;
    }
    if (!name || !is_name(name)) {
        hs_ctl_fail(HS_CTL_USAGE,
                    "a token's name is needed: 1 to %d octets without white space or control "
                    "characters",
                    NAME_MAX_OCTETS);
        return NULL;
    }
    return name;
}

static int make_secret(char secret[HS_TOKEN_SIZE], char digest[HS_TOKEN_DIGEST_SIZE],
                       apr_pool_t *pool)
{
    if (!hs_token_make(secret)) {
        return hs_ctl_fail(HS_CTL_FAILED, "the system gives no random octets");
    }
    hs_token_digest(digest, secret, pool);
    return HS_CTL_OK;
}

/* A full disk or a closed pipe must not pass for success: nobody would have the secret. `remedy` is
 * the verb to go on with. */
static int show_secret(const char *secret, const char *remedy, const char *name)
{
    if (puts(secret) < 0 || fflush(stdout) != 0) {
        return hs_ctl_fail(HS_CTL_FAILED,
                           "stdout took no secret: go on with \"helpsupportctl token %s %s\"",
                           remedy, name);
    }
    return HS_CTL_OK;
}

static int read_scopes(unsigned *scopes, const char *text)
{
    if (!text || strcmp(text, "write") == 0) {
        *scopes = HS_SCOPE_WRITE;
        return HS_CTL_OK;
    }
    if (strcmp(text, "read") == 0) {
        *scopes = HS_SCOPE_READ;
        return HS_CTL_OK;
    }
    return hs_ctl_fail(HS_CTL_USAGE, "--scope is read or write (which includes read)");
}

static int read_expiry(apr_time_t *expires_us, const char *text)
{
    apr_interval_time_t period_us;

    *expires_us = 0;
    if (!text) {
        return HS_CTL_OK;
    }
    if (!hs_ctl_period(&period_us, text) || period_us == 0) {
        return hs_ctl_fail(HS_CTL_USAGE, "--expires is a period like 90d (s, m, h, d, w)");
    }
    *expires_us = apr_time_now() + period_us;
    return HS_CTL_OK;
}

static void describe_created(const hs_admin_token *token)
{
    char expires[HS_TIME_SIZE];

    fprintf(stderr, "Token \"%s\" may %s; this is the only time that it is shown. ", token->name,
            token->scopes == HS_SCOPE_READ ? "read" : "read and write");
    if (token->expires_us) {
        hs_time_format(expires, token->expires_us);
        fprintf(stderr, "It expires at %s.\n", expires);
    } else {
        fputs("It never expires: --expires 90d would be safer.\n", stderr);
    }
}

int hs_ctl_token_create(hs_ctl *ctl)
{
    char secret[HS_TOKEN_SIZE];
    char digest[HS_TOKEN_DIGEST_SIZE];
    hs_admin_token token = {.digest = digest};
    int status = read_scopes(&token.scopes, hs_ctl_take_option(ctl, "--scope"));

    if (status == HS_CTL_OK) {
        status = read_expiry(&token.expires_us, hs_ctl_take_option(ctl, "--expires"));
    }
    if (status != HS_CTL_OK) {
        return status;
    }
    token.name = take_name(ctl);
    if (!token.name) {
        return HS_CTL_USAGE;
    }
    status = make_secret(secret, digest, ctl->pool);
    if (status == HS_CTL_OK) {
        status = hs_ctl_report(hs_store_token_create(ctl->store, &token, ctl->pool));
    }
    if (status == HS_CTL_OK) {
        describe_created(&token);
        status = show_secret(secret, "revoke", token.name);
    }
    return status;
}

/* By this machine's clock, and only for the eye: the database decides by its own. */
static const char *state_of(const hs_admin_token *token, apr_time_t now_us)
{
    if (token->revoked_us) {
        return "revoked";
    }
    return token->expires_us && token->expires_us <= now_us ? "expired" : "usable";
}

static const char *format_or_dash(char out[HS_TIME_SIZE], apr_time_t us)
{
    if (!us) {
        return "-";
    }
    hs_time_format(out, us);
    return out;
}

static void print_token(const hs_admin_token *token, apr_time_t now_us)
{
    char created[HS_TIME_SIZE];
    char expires[HS_TIME_SIZE];
    char used[HS_TIME_SIZE];

    printf("%-*.*s  %-7s  %-5s  %-20s  %-20s  %-20s  %s\n", DIGEST_SHOWN, DIGEST_SHOWN,
           token->digest, state_of(token, now_us),
           token->scopes == HS_SCOPE_READ ? "read" : "write",
           format_or_dash(created, token->created_us), format_or_dash(expires, token->expires_us),
           format_or_dash(used, token->last_used_us), token->name);
}

int hs_ctl_token_list(hs_ctl *ctl)
{
    apr_array_header_t *tokens;
    apr_time_t now_us = apr_time_now();
    int status;

    if (!hs_ctl_took_all(ctl)) {
        return HS_CTL_USAGE;
    }
    status = hs_ctl_report(hs_store_token_list(ctl->store, &tokens, ctl->pool));
    if (status != HS_CTL_OK) {
        return status;
    }
    printf("%-*s  %-7s  %-5s  %-20s  %-20s  %-20s  %s\n", DIGEST_SHOWN, "DIGEST", "STATE", "SCOPE",
           "CREATED", "EXPIRES", "LAST USED", "NAME");
    for (int i = 0; i < tokens->nelts; i++) {
        print_token(APR_ARRAY_IDX(tokens, i, const hs_admin_token *), now_us);
    }
    return fflush(stdout) == 0 ? HS_CTL_OK : HS_CTL_FAILED;
}

int hs_ctl_token_revoke(hs_ctl *ctl)
{
    const char *name = take_name(ctl);
    int status;

    if (!name) {
        return HS_CTL_USAGE;
    }
    status = hs_ctl_report(hs_store_token_revoke(ctl->store, name, ctl->pool));
    if (status == HS_CTL_OK) {
        fprintf(stderr, "Token \"%s\" is revoked; every node refuses it within 5 seconds.\n", name);
    }
    return status;
}

int hs_ctl_token_rotate(hs_ctl *ctl)
{
    const char *grace = hs_ctl_take_option(ctl, "--grace");
    const char *name = take_name(ctl);
    char secret[HS_TOKEN_SIZE];
    char digest[HS_TOKEN_DIGEST_SIZE];
    apr_interval_time_t grace_us;
    int status;

    if (!name) {
        return HS_CTL_USAGE;
    }
    /* No default: after a leak it is 0s, in daily life a day, and guessing wrong hurts. */
    if (!grace || !hs_ctl_period(&grace_us, grace)) {
        return hs_ctl_fail(HS_CTL_USAGE, "--grace is needed: how long the old secret stays usable, "
                                         "like 24h, or 0s");
    }
    status = make_secret(secret, digest, ctl->pool);
    if (status == HS_CTL_OK) {
        status =
            hs_ctl_report(hs_store_token_rotate(ctl->store, name, digest, grace_us, ctl->pool));
    }
    if (status == HS_CTL_OK) {
        fprintf(stderr, "Token \"%s\" has a new secret; the old one works for another %s.\n", name,
                grace);
        status = show_secret(secret, "rotate", name);
    }
    return status;
}
