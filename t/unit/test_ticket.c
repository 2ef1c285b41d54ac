/* test_ticket.c - what a submission must be, references, digests and entity tags. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_ticket.h"

#include "tap.h"

#include <apr_escape.h>
#include <apr_general.h>
#include <apr_strings.h>

static const hs_submission good = {
    {HS_MEMBER_STRING, "Jane Doe"},
    {HS_MEMBER_STRING, "+1234567890"},
    {HS_MEMBER_STRING, "jane@example.com"},
    {HS_MEMBER_STRING, "I'm having trouble connecting my database."},
};

/* All faults as "#/name: detail; ". */
static const char *faults_of(const hs_problem *problem, apr_pool_t *pool)
{
    const char *text = "";

    for (int i = 0; i < problem->faults->nelts; i++) {
        hs_fault *fault = &APR_ARRAY_IDX(problem->faults, i, hs_fault);

        text = apr_pstrcat(pool, text, fault->pointer ? fault->pointer : fault->parameter, ": ",
                           fault->detail, "; ", NULL);
    }
    return text;
}

static const char *try_accept(hs_ticket *ticket, const hs_submission *submission, apr_pool_t *pool)
{
    hs_problem *problem = hs_problem_make(422, NULL, pool);

    hs_ticket_accept(ticket, problem, submission, pool);
    return faults_of(problem, pool);
}

static const char *repeat(const char *text, int times, apr_pool_t *pool)
{
    apr_size_t length = strlen(text);
    char *out = apr_palloc(pool, length * (apr_size_t)times + 1);

    for (int i = 0; i < times; i++) {
        memcpy(out + length * (apr_size_t)i, text, length);
    }
    out[length * (apr_size_t)times] = '\0';
    return out;
}

static void test_status(void)
{
    static const char *const names[] = {"open", "pending", "resolved", "closed"};
    hs_status status = HS_STATUS_OPEN;

    for (int i = 0; i < HS_STATUS_COUNT; i++) {
        tap_is_str(hs_status_name((hs_status)i), names[i], names[i]);
        tap_ok(hs_status_parse(&status, names[i]) && (int)status == i, "read %s", names[i]);
    }
    tap_ok(!hs_status_parse(&status, ""), "empty is no status");
    tap_ok(!hs_status_parse(&status, "Open"), "case counts");
    tap_ok(!hs_status_parse(&status, "open "), "nothing may follow");
    tap_ok(!hs_status_parse(&status, "ope"), "all of it is needed");
    tap_is_int(status, HS_STATUS_CLOSED, "a bad name changes nothing");
}

static void test_ref(apr_pool_t *pool)
{
    static const char *const bad[] = {
        "",
        "0",
        "00",
        "042",
        "+1",
        "-1",
        " 1",
        "1 ",
        "1a",
        "a1",
        "1.0",
        "0x10",
        "1e3",
        "1\n",
        "1234567890123456789",
        "9223372036854775808",
        "99999999999999999999999",
        "\xD9\xA1",
        "0198c1f2",
        "0198c1f2-1111-7222-8333-44445555666",
        "0198c1f211117222833344445555666a",
    };
    hs_ticket_ref ref;

    tap_ok(hs_ticket_ref_parse(&ref, "42", pool) && !ref.id && ref.number == 42, "42");
    tap_ok(hs_ticket_ref_parse(&ref, "1", pool) && !ref.id && ref.number == 1, "1");
    tap_ok(hs_ticket_ref_parse(&ref, "999999999999999999", pool) &&
               ref.number == APR_INT64_C(999999999999999999),
           "18 digits");
    tap_ok(hs_ticket_ref_parse(&ref, "0198C1F2-1111-7222-8333-44445555666A", pool), "a UUID");
    tap_is_str(ref.id, "0198c1f2-1111-7222-8333-44445555666a", "comes out in lower case");
    tap_is_int(ref.number, 0, "and has no number");
    tap_ok(hs_ticket_ref_parse(&ref, "12345678-1111-4222-8333-444455556666", pool) && ref.id,
           "a UUID of digits only is a UUID");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        tap_ok(!hs_ticket_ref_parse(&ref, bad[i], pool), "names no ticket: %s",
               apr_pescape_echo(pool, bad[i], 1));
    }
}

static void is_user_id(const char *user_id, const char *want, apr_pool_t *pool)
{
    hs_problem *problem = hs_problem_make(422, NULL, pool);

    hs_ticket_check_user_id(problem, user_id);
    tap_is_str(faults_of(problem, pool), want,
               apr_psprintf(pool, "user_id %.40s", apr_pescape_echo(pool, user_id, 1)));
}

static void test_user_id(apr_pool_t *pool)
{
    const char *length = "user_id: must be 1 to 128 octets long; ";
    const char *utf8 = "user_id: must be UTF-8; ";
    const char *set = "user_id: must not contain \"/\", white space or control characters; ";

    is_user_id("1", "", pool);
    is_user_id("auth0|64af", "", pool);
    is_user_id("jane@example.com?x=%2F#\\\"<>", "", pool);
    is_user_id("\xC3\xBC\xF0\x9F\x98\x80", "", pool);
    is_user_id(repeat("a", 128, pool), "", pool);
    is_user_id(repeat("\xC3\xBC", 64, pool), "", pool);
    is_user_id("", length, pool);
    is_user_id(repeat("a", 129, pool), length, pool);
    is_user_id(repeat("\xC3\xBC", 65, pool), length, pool);
    is_user_id("a\xFF", utf8, pool);
    is_user_id("\xC0\xAF", utf8, pool);
    is_user_id("\xED\xA0\x80", utf8, pool);
    is_user_id("a/b", set, pool);
    is_user_id("a b", set, pool);
    is_user_id(" a", set, pool);
    is_user_id("a\n", set, pool);
    is_user_id("a\x01", set, pool);
    is_user_id("a\x7F", set, pool);
    is_user_id("a\xC2\x9F", set, pool);
    is_user_id("a\xC2\xA0"
               "b",
               set, pool);
    is_user_id("a\xE3\x80\x80", set, pool);
    is_user_id("a\xE2\x80\xA8", set, pool);
}

static void test_accept(apr_pool_t *pool)
{
    hs_submission padded = {
        {HS_MEMBER_STRING, "\xE3\x80\x80 Jane Doe\t\xC2\x85"},
        {HS_MEMBER_STRING, " +1 (234) 567-890\r\n"},
        {HS_MEMBER_STRING, "\xE2\x80\xA8Jane@B\xC3\x9C"
                           "CHER.example\xC2\xA0"},
        {HS_MEMBER_STRING, "\n\n Help!\r\n\tNow. \xF0\x9F\x98\x80\n"},
    };
    hs_ticket ticket;

    memset(&ticket, 0, sizeof(ticket));
    ticket.id = "id";
    ticket.user_id = "user";
    ticket.number = 7;
    ticket.created_us = 5;
    ticket.status = HS_STATUS_CLOSED;
    tap_is_str(try_accept(&ticket, &good, pool), "", "the contract's example is accepted");
    tap_is_str(ticket.name, "Jane Doe", "name");
    tap_is_str(ticket.phone_number, "+1234567890", "phone_number");
    tap_is_str(ticket.email, "jane@example.com", "email");
    tap_is_str(ticket.message, good.message.text, "message");
    tap_is_int(ticket.status, HS_STATUS_OPEN, "status open");
    tap_is_int(ticket.version, 1, "version 1");
    tap_ok(strcmp(ticket.id, "id") == 0 && strcmp(ticket.user_id, "user") == 0 &&
               ticket.number == 7 && ticket.created_us == 5,
           "what is the caller's stays");
    tap_is_str(try_accept(&ticket, &padded, pool), "", "white space at the ends is accepted");
    tap_is_str(ticket.name, "Jane Doe", "name trimmed");
    tap_is_str(ticket.phone_number, "+1 (234) 567-890", "phone_number trimmed");
    tap_is_str(ticket.email, "Jane@xn--bcher-kva.example", "email trimmed and converted");
    tap_is_str(ticket.message, "Help!\r\n\tNow. \xF0\x9F\x98\x80", "message trimmed");
}

static void test_kinds(apr_pool_t *pool)
{
    hs_submission none;
    hs_ticket ticket;

    memset(&none, 0, sizeof(none));
    tap_is_str(try_accept(&ticket, &none, pool),
               "#/name: is required; #/phone_number: is required; #/email: is required; "
               "#/message: is required; ",
               "all that is missing is named at once");
    none.name.kind = HS_MEMBER_NOT_STRING;
    none.phone_number.kind = HS_MEMBER_NOT_STRING;
    none.email.kind = HS_MEMBER_NOT_STRING;
    none.message.kind = HS_MEMBER_NOT_STRING;
    tap_is_str(try_accept(&ticket, &none, pool),
               "#/name: must be a string; #/phone_number: must be a string; #/email: must be a "
               "string; #/message: must be a string; ",
               "null or another type");
}

/* The faults of a good submission in which `member`, a member of `submission`, is `text`. */
static void is_fault(hs_submission *submission, hs_member *member, const char *text,
                     const char *want, apr_pool_t *pool)
{
    const char *kept = member->text;
    hs_ticket ticket;

    member->text = text;
    tap_is_str(try_accept(&ticket, submission, pool), want,
               apr_psprintf(pool, "\"%.40s\"", apr_pescape_echo(pool, text, 1)));
    member->text = kept;
}

static void test_name(apr_pool_t *pool)
{
    const char *length = "#/name: must be 1 to 200 characters long, not counting white space at "
                         "the ends; ";
    const char *control = "#/name: must not contain control characters; ";
    hs_submission s = good;

    is_fault(&s, &s.name, "J", "", pool);
    is_fault(&s, &s.name, repeat("n", 200, pool), "", pool);
    is_fault(&s, &s.name, repeat("\xF0\x9F\x98\x80", 200, pool), "", pool);
    is_fault(&s, &s.name, apr_pstrcat(pool, repeat(" ", 500, pool), "x", NULL), "", pool);
    is_fault(&s, &s.name, "<b>O'Brien & \"co\"</b>", "", pool);
    is_fault(&s, &s.name, "", length, pool);
    is_fault(&s, &s.name, " \t\r\n\xE3\x80\x80", length, pool);
    is_fault(&s, &s.name, repeat("n", 201, pool), length, pool);
    is_fault(&s, &s.name, repeat("\xF0\x9F\x98\x80", 201, pool), length, pool);
    is_fault(&s, &s.name, "a\tb", control, pool);
    is_fault(&s, &s.name, "a\nb", control, pool);
    is_fault(&s, &s.name, "a\x1B[31m", control, pool);
    is_fault(&s, &s.name, "a\x7F", control, pool);
    is_fault(&s, &s.name,
             "a\xC2\x85"
             "b",
             control, pool);
    is_fault(&s, &s.name,
             "\x01"
             "a",
             control, pool);
}

static void test_message(apr_pool_t *pool)
{
    const char *length = "#/message: must be 1 to 10000 characters long, not counting white space "
                         "at the ends; ";
    const char *control = "#/message: must not contain control characters other than tab, CR and "
                          "LF; ";
    hs_submission s = good;

    is_fault(&s, &s.message, "x", "", pool);
    is_fault(&s, &s.message, "a\tb\r\nc\nd\re", "", pool);
    is_fault(&s, &s.message,
             "a\xE2\x80\xA8"
             "b",
             "", pool);
    is_fault(&s, &s.message, repeat("m", 10000, pool), "", pool);
    is_fault(&s, &s.message, repeat("\xE4\xB8\x80", 10000, pool), "", pool);
    is_fault(&s, &s.message, "", length, pool);
    is_fault(&s, &s.message, "\r\n\r\n", length, pool);
    is_fault(&s, &s.message, repeat("m", 10001, pool), length, pool);
    is_fault(&s, &s.message, repeat("\xE4\xB8\x80", 10001, pool), length, pool);
    is_fault(&s, &s.message, "a\vb", control, pool);
    is_fault(&s, &s.message,
             "a\x1B"
             "b",
             control, pool);
    is_fault(&s, &s.message,
             "a\xC2\x85"
             "b",
             control, pool);
}

static void test_phone(apr_pool_t *pool)
{
    const char *set = "#/phone_number: must have only digits, ( ) - . / x and spaces, and + only "
                      "as its first character; ";
    const char *digits = "#/phone_number: must have 3 to 15 digits; ";
    const char *length = "#/phone_number: must be 3 to 32 characters long; ";
    hs_submission s = good;

    is_fault(&s, &s.phone_number, "112", "", pool);
    is_fault(&s, &s.phone_number, "123456789012345", "", pool);
    is_fault(&s, &s.phone_number, "+1 (555) 123-4567 x89", "", pool);
    is_fault(&s, &s.phone_number, "030/12.34-56", "", pool);
    is_fault(&s, &s.phone_number, "(030) 123", "", pool);
    is_fault(&s, &s.phone_number, "1 2 3                          4", "", pool);
    is_fault(&s, &s.phone_number, "1 2 3                           4", length, pool);
    is_fault(&s, &s.phone_number, "", digits, pool);
    is_fault(&s, &s.phone_number, "12", digits, pool);
    is_fault(&s, &s.phone_number, "+1-2", digits, pool);
    is_fault(&s, &s.phone_number, "---", digits, pool);
    is_fault(&s, &s.phone_number, "1234567890123456", digits, pool);
    is_fault(&s, &s.phone_number, "1+234", set, pool);
    is_fault(&s, &s.phone_number, "++1234", set, pool);
    is_fault(&s, &s.phone_number, "(+49) 123", set, pool);
    is_fault(&s, &s.phone_number, "123 X 4", set, pool);
    is_fault(&s, &s.phone_number, "123 ext 4", set, pool);
    is_fault(&s, &s.phone_number, "123\t456", set, pool);
    is_fault(&s, &s.phone_number, "123\r\n456", set, pool);
    is_fault(&s, &s.phone_number,
             "123\xC2\xA0"
             "456",
             set, pool);
    is_fault(&s, &s.phone_number, "\xD9\xA1\xD9\xA2\xD9\xA3", set, pool);
    is_fault(&s, &s.phone_number, "123;456", set, pool);
}

static void test_email(apr_pool_t *pool)
{
    const char *address = "#/email: must be one e-mail address; ";
    hs_submission s = good;

    is_fault(&s, &s.email, "j@x.de", "", pool);
    is_fault(&s, &s.email, "", address, pool);
    is_fault(&s, &s.email, "jane", address, pool);
    is_fault(&s, &s.email, "jane@example.com, joe@example.com", address, pool);
    is_fault(&s, &s.email, "jane@example.com\r\nBcc: x@y.example", address, pool);
}

static void test_failing(apr_pool_t *pool)
{
    hs_submission s = good;
    hs_ticket ticket;

    s.name.text = " ";
    s.email.kind = HS_MEMBER_ABSENT;
    s.message.text = "\x01";
    tap_is_str(try_accept(&ticket, &s, pool),
               "#/name: must be 1 to 200 characters long, not counting white space at the ends; "
               "#/email: is required; "
               "#/message: must not contain control characters other than tab, CR and LF; ",
               "all failing members at once, in order");
    tap_ok(!ticket.name && !ticket.email && !ticket.message, "what fails is not in the ticket");
    tap_is_str(ticket.phone_number, "+1234567890", "the good member is");
}

static const char *digest(const char *name, const char *phone_number, const char *email,
                          const char *message, apr_pool_t *pool)
{
    hs_ticket ticket;

    memset(&ticket, 0, sizeof(ticket));
    ticket.name = name;
    ticket.phone_number = phone_number;
    ticket.email = email;
    ticket.message = message;
    return hs_ticket_digest(&ticket, pool);
}

static void test_digest(apr_pool_t *pool)
{
    const char *one = digest("Jane", "123", "j@x.de", "Hi", pool);

    /* printf '4:Jane3:1236:j@x.de2:Hi' | sha256sum */
    tap_is_str(one, "adccd1e4c616a63a47e01b7520d423088feafd57a612e32e57ee38d2751a1f8f",
               "SHA-256 of the members and their lengths");
    tap_is_str(digest("Jane", "123", "j@x.de", "Hi", pool), one, "same members, same digest");
    tap_ok(strcmp(digest("Jan", "e123", "j@x.de", "Hi", pool), one) != 0, "text moved");
    tap_ok(strcmp(digest("jane", "123", "j@x.de", "Hi", pool), one) != 0, "other name");
    tap_ok(strcmp(digest("Jane", "124", "j@x.de", "Hi", pool), one) != 0, "other phone");
    tap_ok(strcmp(digest("Jane", "123", "k@x.de", "Hi", pool), one) != 0, "other email");
    tap_ok(strcmp(digest("Jane", "123", "j@x.de", "Hi!", pool), one) != 0, "other message");
}

static void test_etag(apr_pool_t *pool)
{
    hs_ticket ticket;

    memset(&ticket, 0, sizeof(ticket));
    ticket.number = 42;
    ticket.version = 3;
    tap_is_str(hs_ticket_etag(&ticket, pool), "\"42-3\"", "number and version");
    ticket.number = APR_INT64_C(999999999999999999);
    tap_is_str(hs_ticket_etag(&ticket, pool), "\"999999999999999999-3\"", "a large number");
}

/* Field values, and whether each matches "42-3" as If-Match and as If-None-Match. */
static const struct {
    const char *field;
    int strong;
    int weak;
} etag_cases[] = {
    {"*", 1, 1},
    {" * ", 1, 1},
    {"\"42-3\"", 1, 1},
    {"  \"42-3\"\t", 1, 1},
    {"W/\"42-3\"", 0, 1},
    {"\"42-3-gzip\"", 1, 1},
    {"\"42-3-br\"", 1, 1},
    {"W/\"42-3-gzip\"", 0, 1},
    {"\"42-2\"", 0, 0},
    {"\"42-31\"", 0, 0},
    {"\"42-3-\"", 0, 0},
    {"\"42-3-zip\"", 0, 0},
    {"\"42-3-gzip2\"", 0, 0},
    {"\"42-3-br2\"", 0, 0},
    {"\"42-3-gzip-gzip\"", 0, 0},
    {"\"42-3gzip\"", 0, 0},
    {"\"-gzip\"", 0, 0},
    {"\"42-\"", 0, 0},
    {"\"142-3\"", 0, 0},
    {"\"\"", 0, 0},
    {"\"1-1\", \"42-3\"", 1, 1},
    {"\"42-3\",\"1-1\"", 1, 1},
    {"\"1-1\",W/\"42-3\" , \"x\"", 0, 1},
    {"\"1-1\",\"42-3-br\"", 1, 1},
    {"\"1-1\",\"1-2\"", 0, 0},
    {"W/\"1-1\", \"42-3\"", 1, 1},
    {",, \"42-3\" ,,", 1, 1},
    {"\"a,b\", \"42-3\"", 1, 1},
    {"\"a,\", \"\xC3\xBC\", \"42-3\"", 1, 1},
    {"", 0, 0},
    {" , ", 0, 0},
    {"42-3", 0, 0},
    {"\"42-3", 0, 0},
    {"42-3\"", 0, 0},
    {"w/\"42-3\"", 0, 0},
    {"W\"42-3\"", 0, 0},
    {"W/ \"42-3\"", 0, 0},
    {"W/", 0, 0},
    {"W", 0, 0},
    {"\"", 0, 0},
    {"'42-3'", 0, 0},
    {"\"42-3\" \"1-1\"", 0, 0},
    {"\"42-3\"; \"1-1\"", 0, 0},
    {"\"42-3\", x", 0, 0},
    {"\"42-3\", \"x", 0, 0},
    {"\"42-3\", \"a b\"", 0, 0},
    {"\"42-3\", *", 0, 0},
    {"*, \"42-3\"", 0, 0},
    {"**", 0, 0},
};

static void test_etag_matches(void)
{
    for (size_t i = 0; i < sizeof(etag_cases) / sizeof(etag_cases[0]); i++) {
        tap_is_int(hs_ticket_etag_matches(etag_cases[i].field, "\"42-3\"", 0), etag_cases[i].strong,
                   etag_cases[i].field);
        tap_is_int(hs_ticket_etag_matches(etag_cases[i].field, "\"42-3\"", 1), etag_cases[i].weak,
                   etag_cases[i].field);
    }
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_status();
    test_ref(pool);
    test_user_id(pool);
    test_accept(pool);
    test_kinds(pool);
    test_name(pool);
    test_message(pool);
    test_phone(pool);
    test_email(pool);
    test_failing(pool);
    test_digest(pool);
    test_etag(pool);
    test_etag_matches();
    apr_terminate();
    return tap_done();
}
