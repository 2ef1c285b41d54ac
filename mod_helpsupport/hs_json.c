/* hs_json.c - layer 4: JSON octets <-> structs (jansson reads; no json_t leaves this file). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_json.h"

#include "hs_time.h"

#include <apr_strings.h>
#include <jansson.h>

#include <stdint.h>
#include <string.h>

#define ONES UINT64_C(0x0101010101010101)

/* What a client is told about an error of jansson's; anything else is "a syntax error". jansson's
 * own text is not used, because it quotes the body. */
static const struct {
    enum json_error_code code;
    const char *text;
} reasons[] = {
    {json_error_stack_overflow, "arrays or objects are nested too deeply"},
    {json_error_invalid_utf8, "an octet sequence is not UTF-8"},
    {json_error_premature_end_of_input, "the text ends too early"},
    {json_error_end_of_input_expected, "something follows the JSON value"},
    {json_error_null_character, "U+0000 is not allowed"},
    {json_error_null_byte_in_key, "U+0000 is not allowed"},
    {json_error_duplicate_key, "a member occurs twice"},
};

static hs_error *describe(const json_error_t *error, apr_pool_t *pool)
{
    enum json_error_code code = json_error_code(error);
    const char *reason = "a syntax error";

    if (code == json_error_out_of_memory) {
        return hs_error_make(pool, HS_UNAVAILABLE, "out of memory while reading a request body");
    }
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].code == code) {
            reason = reasons[i].text;
        }
    }
    return hs_error_make(pool, HS_MALFORMED,
                         "The request body is not acceptable JSON: %s at line %d, column %d.",
                         reason, error->line, error->column);
}

static apr_size_t count_digits(const char *at, const char *end)
{
    const char *start = at;

    while (at < end && *at >= '0' && *at <= '9') {
        at++;
    }
    return (apr_size_t)(at - start);
}

/* Length of the part `mark` digits (".5") or `mark` sign digits ("e+5") at `at`; 0 without one. */
static apr_size_t count_part(const char *at, const char *end, int is_exponent)
{
    const char *start = at;
    apr_size_t digits;

    if (at == end || !(is_exponent ? *at == 'e' || *at == 'E' : *at == '.')) {
        return 0;
    }
    at++;
    if (is_exponent && at < end && (*at == '+' || *at == '-')) {
        at++;
    }
    digits = count_digits(at, end);
    return digits ? (apr_size_t)(at - start) + digits : 0;
}

/* Length of the longest number (RFC 8259 6) that begins at `at`; 0 where none does. */
static apr_size_t count_number(const char *at, const char *end)
{
    const char *start = at;
    apr_size_t digits;

    if (at < end && *at == '-') {
        at++;
    }
    digits = count_digits(at, end);
    if (!digits) {
        return 0;
    }
    at += *at == '0' ? 1 : digits;
    at += count_part(at, end, 0);
    at += count_part(at, end, 1);
    return (apr_size_t)(at - start);
}

/* The octet behind the string whose opening quote is at `at`. */
static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++) {
        if (*at == '\\' && at + 1 < end) {
            at++;
        }
    }
    return at < end ? at + 1 : end;
}

/* A copy of `body` in which every number is 0 and as many spaces as keep the line and column of all
 * that follows. Numbers that are none ("01", "1e") stay none, so nothing becomes acceptable. */
static char *flatten_numbers(const char *body, apr_size_t length, apr_pool_t *pool)
{
    char *copy = apr_pmemdup(pool, body, length);
    const char *end = body + length;
    apr_size_t digits;

    for (const char *at = body; at < end;) {
        if (*at == '"') {
            at = skip_string(at, end);
            continue;
        }
        digits = count_number(at, end);
        if (digits) {
            memset(copy + (at - body), ' ', digits);
            copy[at - body] = '0';
        }
        at += digits ? digits : 1;
    }
    return copy;
}

/* 1e999 and 99999999999999999999 are JSON, and an unknown member may hold them, yet jansson refuses
 * what fits neither a long long nor a double. No member of ours is a number, so on this (rare)
 * error it gets another try with small ones. Nesting deeper than jansson's 2048 stays refused: RFC
 * 8259 9 allows a limit, and the stack of a thread needs one. */
static json_t *load(const char *body, apr_size_t length, json_error_t *error, apr_pool_t *pool)
{
    /* without JSON_DECODE_ANY a body like 42 would be called a syntax error */
    const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY;
    json_t *root = json_loadb(body, length, flags, error);

    if (!root && json_error_code(error) == json_error_numeric_overflow) {
        root = json_loadb(flatten_numbers(body, length, pool), length, flags, error);
    }
    return root;
}

static void read_member(hs_member *member, const json_t *root, const char *name, apr_pool_t *pool)
{
    const json_t *value = json_object_get(root, name);

    member->kind = value ? HS_MEMBER_NOT_STRING : HS_MEMBER_ABSENT;
    member->text = NULL;
    if (json_is_string(value)) {
        member->kind = HS_MEMBER_STRING;
        member->text = apr_pstrmemdup(pool, json_string_value(value), json_string_length(value));
    }
}

hs_error *hs_json_read_submission(hs_submission *submission, const char *body, apr_size_t length,
                                  apr_pool_t *pool)
{
    json_error_t error;
    json_t *root;

    if (!length) {
        return hs_error_make(pool, HS_MALFORMED, "The request body is empty.");
    }
    if (length >= 3 && memcmp(body, "\xEF\xBB\xBF", 3) == 0) {
        return hs_error_make(pool, HS_MALFORMED, "The request body begins with a byte order mark.");
    }
    root = load(body, length, &error, pool);
    if (!root) {
        return describe(&error, pool);
    }
    if (!json_is_object(root)) {
        json_decref(root);
        return hs_error_make(pool, HS_MALFORMED, "The request body is not a JSON object.");
    }
    read_member(&submission->name, root, "name", pool);
    read_member(&submission->phone_number, root, "phone_number", pool);
    read_member(&submission->email, root, "email", pool);
    read_member(&submission->message, root, "message", pool);
    json_decref(root);
    return NULL;
}

static int needs_escape(unsigned char octet)
{
    return octet < 0x20 || octet == '"' || octet == '\\' || octet == 0x7F;
}

/* Whether one of eight octets is zero, the usual way without a branch per octet. */
static uint64_t has_zero(uint64_t octets)
{
    return (octets - ONES) & ~octets & (ONES << 7);
}

/* How many octets of `text` come before the first that needs an escape. Eight at a time, since a
 * list of tickets is mostly this. */
static apr_size_t count_plain(const char *text, apr_size_t length)
{
    apr_size_t i = 0;

    for (uint64_t word; i + sizeof(word) <= length; i += sizeof(word)) {
        memcpy(&word, text + i, sizeof(word));
        if (((word - ONES * 0x20) & ~word & (ONES << 7)) | has_zero(word ^ ONES * '"') |
            has_zero(word ^ ONES * '\\') | has_zero(word ^ ONES * 0x7F)) {
            break;
        }
    }
    while (i < length && !needs_escape((unsigned char)text[i])) {
        i++;
    }
    return i;
}

static void put_escape(hs_buffer *out, unsigned char octet)
{
    static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    static const char hex[] = "0123456789abcdef";
    char escape[6] = {'\\', 'u', '0', '0', hex[octet >> 4], hex[octet & 15]};

    for (size_t i = 0; i < sizeof(shorts) - 1; i += 2) {
        if ((unsigned char)shorts[i] == octet) {
            escape[1] = shorts[i + 1];
            hs_buffer_append(out, escape, 2);
            return;
        }
    }
    hs_buffer_append(out, escape, sizeof(escape));
}

void hs_json_put_string(hs_buffer *out, const char *text)
{
    apr_size_t left;
    apr_size_t plain;

    if (!text) {
        hs_buffer_puts(out, "null");
        return;
    }
    left = strlen(text);
    /* Grow once, before the runs below append bit by bit. */
    hs_buffer_reserve(out, left + 2);
    hs_buffer_putc(out, '"');
    while (left) {
        plain = count_plain(text, left);
        hs_buffer_append(out, text, plain);
        text += plain;
        left -= plain;
        if (left) {
            put_escape(out, (unsigned char)*text++);
            left--;
        }
    }
    hs_buffer_putc(out, '"');
}

static void put_time(hs_buffer *out, apr_time_t us)
{
    hs_buffer_putc(out, '"');
    hs_time_format(hs_buffer_reserve(out, HS_TIME_SIZE), us);
    out->length += HS_TIME_SIZE - 1;
    hs_buffer_putc(out, '"');
}

/* The eight members and the opening brace. */
static void put_members(hs_buffer *out, const hs_ticket *ticket)
{
    hs_buffer_puts(out, "{\"id\":");
    hs_json_put_string(out, ticket->id);
    hs_buffer_puts(out, ",\"name\":");
    hs_json_put_string(out, ticket->name);
    hs_buffer_puts(out, ",\"phone_number\":");
    hs_json_put_string(out, ticket->phone_number);
    hs_buffer_puts(out, ",\"email\":");
    hs_json_put_string(out, ticket->email);
    hs_buffer_puts(out, ",\"message\":");
    hs_json_put_string(out, ticket->message);
    hs_buffer_puts(out, ",\"status\":");
    hs_json_put_string(out, hs_status_name(ticket->status));
    hs_buffer_puts(out, ",\"created_at\":");
    put_time(out, ticket->created_us);
    hs_buffer_puts(out, ",\"updated_at\":");
    put_time(out, ticket->updated_us);
}

void hs_json_add_number(hs_buffer *out, apr_int64_t number)
{
    hs_buffer_putc(out, out->length == 0 ? '[' : ',');
    hs_buffer_put_number(out, number);
}

void hs_json_end_numbers(hs_buffer *out)
{
    hs_buffer_puts(out, out->length == 0 ? "[]" : "]");
}

void hs_json_put_submitted(hs_buffer *out, const hs_ticket *ticket)
{
    put_members(out, ticket);
    hs_buffer_putc(out, '}');
}

void hs_json_put_ticket(hs_buffer *out, const hs_ticket *ticket)
{
    put_members(out, ticket);
    hs_buffer_puts(out, ",\"number\":");
    hs_buffer_put_number(out, ticket->number);
    hs_buffer_puts(out, ",\"user_id\":");
    hs_json_put_string(out, ticket->user_id);
    hs_buffer_putc(out, '}');
}

/* What stands before element `i` of an array. */
static void put_separator(hs_buffer *out, int i)
{
    if (i) {
        hs_buffer_putc(out, ',');
    }
}

void hs_json_put_tickets(hs_buffer *out, const apr_array_header_t *tickets)
{
    hs_buffer_putc(out, '[');
    for (int i = 0; i < tickets->nelts; i++) {
        put_separator(out, i);
        hs_json_put_ticket(out, APR_ARRAY_IDX(tickets, i, const hs_ticket *));
    }
    hs_buffer_putc(out, ']');
}

/* A further member of an object; `name` is one of ours and needs no escape. */
static void put_optional(hs_buffer *out, const char *name, const char *value)
{
    if (!value) {
        return;
    }
    hs_buffer_puts(out, ",\"");
    hs_buffer_puts(out, name);
    hs_buffer_puts(out, "\":");
    hs_json_put_string(out, value);
}

static void put_event(hs_buffer *out, const hs_event *event)
{
    hs_buffer_puts(out, "{\"at\":");
    put_time(out, event->at_us);
    put_optional(out, "event", event->event);
    put_optional(out, "from", event->from);
    put_optional(out, "to", event->to);
    put_optional(out, "by", event->by);
    put_optional(out, "kind", event->kind);
    put_optional(out, "state", event->state);
    put_optional(out, "detail", event->detail);
    hs_buffer_putc(out, '}');
}

void hs_json_put_events(hs_buffer *out, const apr_array_header_t *events)
{
    hs_buffer_putc(out, '[');
    for (int i = 0; i < events->nelts; i++) {
        put_separator(out, i);
        put_event(out, &APR_ARRAY_IDX(events, i, hs_event));
    }
    hs_buffer_putc(out, ']');
}

static void put_fault(hs_buffer *out, const hs_fault *fault)
{
    hs_buffer_puts(out, fault->pointer ? "{\"pointer\":" : "{\"parameter\":");
    hs_json_put_string(out, fault->pointer ? fault->pointer : fault->parameter);
    put_optional(out, "detail", fault->detail);
    hs_buffer_putc(out, '}');
}

void hs_json_put_problem(hs_buffer *out, const hs_problem *problem)
{
    hs_buffer_puts(out, "{\"type\":");
    hs_json_put_string(out, problem->type);
    put_optional(out, "title", hs_problem_title(problem->status));
    hs_buffer_puts(out, ",\"status\":");
    hs_buffer_put_number(out, problem->status);
    put_optional(out, "detail", problem->detail);
    put_optional(out, "instance", problem->instance);
    if (apr_is_empty_array(problem->faults)) {
        hs_buffer_putc(out, '}');
        return;
    }
    hs_buffer_puts(out, ",\"errors\":[");
    for (int i = 0; i < problem->faults->nelts; i++) {
        put_separator(out, i);
        put_fault(out, &APR_ARRAY_IDX(problem->faults, i, hs_fault));
    }
    hs_buffer_puts(out, "]}");
}
