/* hs_ticket.c - layer 3: the ticket, its statuses, what a submission must be. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_ticket.h"

#include "hs_email.h"
#include "hs_utf8.h"

#include <apr_escape.h>
#include <apr_random.h>
#include <apr_strings.h>

#include <string.h>

#define USER_ID_MAX_OCTETS 128
#define NAME_MAX_POINTS 200
#define MESSAGE_MAX_POINTS 10000
#define PHONE_MIN_OCTETS 3
#define PHONE_MAX_OCTETS 32
#define PHONE_MIN_DIGITS 3
#define PHONE_MAX_DIGITS 15
#define NUMBER_MAX_DIGITS 18
#define SHA256_OCTETS 32

static const char *const status_names[HS_STATUS_COUNT] = {"open", "pending", "resolved", "closed"};

const char *hs_status_name(hs_status status)
{
    return status_names[status];
}

int hs_status_parse(hs_status *status, const char *name)
{
    for (int i = 0; i < HS_STATUS_COUNT; i++) {
        if (strcmp(name, status_names[i]) == 0) {
            *status = (hs_status)i;
            return 1;
        }
    }
    return 0;
}

static int is_digit(char octet)
{
    return octet >= '0' && octet <= '9';
}

/* 0 where `text` is not [1-9][0-9]{0,17}; 18 digits always fit. */
static apr_int64_t parse_number(const char *text)
{
    apr_int64_t number = 0;

    if (*text == '0' || strlen(text) > NUMBER_MAX_DIGITS) {
        return 0;
    }
    for (; is_digit(*text); text++) {
        number = number * 10 + (*text - '0');
    }
    return *text ? 0 : number;
}

int hs_ticket_ref_parse(hs_ticket_ref *ref, const char *text, apr_pool_t *pool)
{
    char id[HS_UUID_SIZE];

    if (hs_uuid_parse(id, text)) {
        ref->id = apr_pstrmemdup(pool, id, HS_UUID_SIZE - 1);
        ref->number = 0;
        return 1;
    }
    ref->id = NULL;
    ref->number = parse_number(text);
    return ref->number != 0;
}

int hs_ticket_is_named(const hs_ticket *ticket, const hs_ticket_ref *ref)
{
    return ref->id ? strcmp(ref->id, ticket->id) == 0 : ref->number == ticket->number;
}

void hs_ticket_check_user_id(hs_problem *problem, const char *user_id)
{
    apr_size_t octets = strlen(user_id);
    const char *fault = NULL;

    if (octets < 1 || octets > USER_ID_MAX_OCTETS) {
        fault = "must be 1 to 128 octets long";
    } else if (!hs_utf8_is_valid(user_id, octets)) {
        fault = "must be UTF-8";
    } else if (strchr(user_id, '/') || hs_utf8_has_space(user_id) ||
               hs_utf8_has_control(user_id, 0)) {
        fault = "must not contain \"/\", white space or control characters";
    }
    if (fault) {
        hs_problem_add_parameter(problem, "user_id", fault);
    }
}

/* Checks a trimmed value: returns what is wrong with it, or NULL with *value as it is to be
 * stored. */
typedef const char *member_check(const char **value, apr_pool_t *pool);

static const char *check_name(const char **value, apr_pool_t *pool)
{
    (void)pool;
    if (!**value || hs_utf8_length(*value) > NAME_MAX_POINTS) {
        return "must be 1 to 200 characters long, not counting white space at the ends";
    }
    return hs_utf8_has_control(*value, 0) ? "must not contain control characters" : NULL;
}

static const char *check_message(const char **value, apr_pool_t *pool)
{
    (void)pool;
    if (!**value || hs_utf8_length(*value) > MESSAGE_MAX_POINTS) {
        return "must be 1 to 10000 characters long, not counting white space at the ends";
    }
    return hs_utf8_has_control(*value, 1)
               ? "must not contain control characters other than tab, CR and LF"
               : NULL;
}

static const char *check_email(const char **value, apr_pool_t *pool)
{
    const char *address = hs_email_normalize(*value, pool);

    if (!address) {
        return "must be one e-mail address";
    }
    *value = address;
    return NULL;
}

static int is_phone_octet(char octet)
{
    return is_digit(octet) || strchr("+()-./ x", octet) != NULL;
}

/* The number of digits, or -1 where something stands that may not. */
static int count_phone_digits(const char *text)
{
    int digits = 0;

    for (const char *at = text; *at; at++) {
        if (!is_phone_octet(*at) || (*at == '+' && at > text)) {
            return -1;
        }
        digits += is_digit(*at);
    }
    return digits;
}

static const char *check_phone(const char **value, apr_pool_t *pool)
{
    int digits = count_phone_digits(*value);
    apr_size_t octets = strlen(*value);

    (void)pool;
    if (digits < 0) {
        return "must have only digits, ( ) - . / x and spaces, and + only as its first character";
    }
    if (digits < PHONE_MIN_DIGITS || digits > PHONE_MAX_DIGITS) {
        return "must have 3 to 15 digits";
    }
    return octets < PHONE_MIN_OCTETS || octets > PHONE_MAX_OCTETS
               ? "must be 3 to 32 characters long"
               : NULL;
}

/* The value to store, or NULL after adding the member's fault to `problem`. */
static const char *accept_member(hs_problem *problem, const char *name, const hs_member *member,
                                 member_check *check, apr_pool_t *pool)
{
    const char *value = NULL;
    const char *fault;

    if (member->kind == HS_MEMBER_STRING) {
        value = hs_utf8_trim(member->text, pool);
        fault = check(&value, pool);
    } else {
        fault = member->kind == HS_MEMBER_ABSENT ? "is required" : "must be a string";
    }
    if (!fault) {
        return value;
    }
    hs_problem_add_member(problem, name, fault);
    return NULL;
}

void hs_ticket_accept(hs_ticket *ticket, hs_problem *problem, const hs_submission *submission,
                      apr_pool_t *pool)
{
    ticket->name = accept_member(problem, "name", &submission->name, check_name, pool);
    ticket->phone_number =
        accept_member(problem, "phone_number", &submission->phone_number, check_phone, pool);
    ticket->email = accept_member(problem, "email", &submission->email, check_email, pool);
    ticket->message = accept_member(problem, "message", &submission->message, check_message, pool);
    ticket->status = HS_STATUS_OPEN;
    ticket->version = 1;
}

static void digest_member(apr_crypto_hash_t *hash, const char *text, apr_pool_t *pool)
{
    const char *length = apr_psprintf(pool, "%" APR_SIZE_T_FMT ":", strlen(text));

    hash->add(hash, length, strlen(length));
    hash->add(hash, text, strlen(text));
}

const char *hs_ticket_digest(const hs_ticket *ticket, apr_pool_t *pool)
{
    apr_crypto_hash_t *hash = apr_crypto_sha256_new(pool);
    unsigned char digest[SHA256_OCTETS];

    hash->init(hash);
    digest_member(hash, ticket->name, pool);
    digest_member(hash, ticket->phone_number, pool);
    digest_member(hash, ticket->email, pool);
    digest_member(hash, ticket->message, pool);
    hash->finish(hash, digest);
    return apr_pescape_hex(pool, digest, sizeof(digest), 0);
}

const char *hs_ticket_etag(const hs_ticket *ticket, apr_pool_t *pool)
{
    return apr_psprintf(pool, "\"%" APR_INT64_T_FMT "-%" APR_INT64_T_FMT "\"", ticket->number,
                        ticket->version);
}

/* One entity tag of a list; the opaque part is without its quotes. */
typedef struct entity_tag {
    int is_weak;
    const char *opaque;
    apr_size_t length;
} entity_tag;

/* etagc of RFC 9110 8.8.3. */
static int is_tag_octet(char octet)
{
    unsigned char value = (unsigned char)octet;

    return value > 0x20 && value != '"' && value != 0x7F;
}

/* Read one tag and move *text behind it. */
static int read_tag(entity_tag *tag, const char **text)
{
    const char *at = *text;

    tag->is_weak = at[0] == 'W' && at[1] == '/';
    at += tag->is_weak ? 2 : 0;
    if (*at != '"') {
        return 0;
    }
    tag->opaque = ++at;
    while (is_tag_octet(*at)) {
        at++;
    }
    tag->length = (apr_size_t)(at - tag->opaque);
    *text = at + 1;
    return *at == '"';
}

static int is_same_tag(const entity_tag *tag, const char *etag)
{
    apr_size_t length = strlen(etag) - 2;
    const char *rest = tag->opaque + length;

    if (tag->length < length || memcmp(tag->opaque, etag + 1, length) != 0) {
        return 0;
    }
    return *rest == '"' || strncmp(rest, "-gzip\"", 6) == 0 || strncmp(rest, "-br\"", 4) == 0;
}

int hs_ticket_etag_matches(const char *field, const char *etag, int weak_ok)
{
    static const char blank[] = " \t";
    int matches = 0;
    entity_tag tag;

    field += strspn(field, blank);
    if (*field == '*') {
        return field[1 + strspn(field + 1, blank)] == '\0';
    }
    /* Empty elements are to be passed over: RFC 9110 5.6.1.2. */
    for (field += strspn(field, " \t,"); *field; field += strspn(field, " \t,")) {
        if (!read_tag(&tag, &field)) {
            return 0;
        }
        field += strspn(field, blank);
        if (*field && *field != ',') {
            return 0;
        }
        matches |= (weak_ok || !tag.is_weak) && is_same_tag(&tag, etag);
    }
    return matches;
}
