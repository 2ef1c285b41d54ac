/* test_json.c - what is accepted as a submission, and what is written. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_json.h"

#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

/* 2025-07-04T12:00:00Z */
#define NOON APR_INT64_C(1751630400000000)

#define REST ",\"name\":\"J\",\"phone_number\":\"+1\",\"email\":\"j@x.org\",\"message\":\"M\"}"

static apr_pool_t *pool;

/* Accept `length` octets, with no NUL behind them that could stop a reader that runs on. */
static hs_error *read_octets(hs_submission *submission, const char *body, apr_size_t length)
{
    char *exact = apr_pmemdup(pool, body, length + 1);

    exact[length] = '7';
    memset(submission, 0xFF, sizeof(*submission));
    return hs_json_read_submission(submission, exact, length, pool);
}

static void is_good(const char *body, const char *name)
{
    hs_submission submission;
    hs_error *error = read_octets(&submission, body, strlen(body));

    tap_ok(!error, "accepted: %s%s%s", name, error ? ": " : "", error ? error->text : "");
    if (!error) {
        tap_ok(submission.name.kind == HS_MEMBER_STRING && submission.name.text &&
                   strcmp(submission.name.text, "J") == 0 && submission.message.text &&
                   strcmp(submission.message.text, "M") == 0,
               "… and read");
    }
}

static void is_bad_octets(const char *body, apr_size_t length, const char *why)
{
    hs_submission submission;
    hs_error *error = read_octets(&submission, body, length);

    tap_ok(error && error->code == HS_MALFORMED, "400: %s", why);
    tap_ok(error && !strstr(error->text, "secret"), "… without the body: %s",
           error ? error->text : "");
}

static void is_bad(const char *body)
{
    is_bad_octets(body, strlen(body), apr_psprintf(pool, "%.60s", body));
}

static void test_members(void)
{
    static const char body[] =
        "\r\n\t {\"message\":\"a\\n\\\"b\\\\\\/\\u00e9\\ud83d\\ude00\xC3\xA9\","
        "\"email\":null,\"id\":\"x\",\"n\\u0061me\":[\"x\"],"
        "\"status\":{\"name\":\"inner\"}} ";
    hs_submission submission;
    hs_error *error = read_octets(&submission, body, sizeof(body) - 1);

    tap_ok(!error, "members of all kinds");
    tap_is_int((int)submission.message.kind, HS_MEMBER_STRING, "a string");
    tap_is_str(submission.message.text, "a\n\"b\\/\xC3\xA9\xF0\x9F\x98\x80\xC3\xA9", "… decoded");
    tap_is_int((int)submission.email.kind, HS_MEMBER_NOT_STRING, "null is no string");
    tap_is_int((int)submission.name.kind, HS_MEMBER_NOT_STRING, "an array is no string");
    tap_is_int((int)submission.phone_number.kind, HS_MEMBER_ABSENT, "absent");
    tap_ok(!submission.phone_number.text && !submission.email.text, "… these have no text");
    error = read_octets(&submission, "{}", 2);
    tap_ok(!error && submission.name.kind == HS_MEMBER_ABSENT, "an empty object is read");
    error = read_octets(&submission, "{\"name\":\"\"}", 11);
    tap_ok(!error && submission.name.kind == HS_MEMBER_STRING && !*submission.name.text,
           "an empty string is one");
}

static void test_syntax(void)
{
    static const char *const bodies[] = {
        "",
        " ",
        "42",
        "\"secret\"",
        "null",
        "true",
        "[]",
        "[{\"name\":\"secret\"}]",
        "{",
        "{\"name\":\"secret",
        "{\"name\":\"secret\"",
        "{\"name\":\"secret\",}",
        "{\"name\" \"secret\"}",
        "{'name':'secret'}",
        "{name:\"secret\"}",
        "{\"name\":secret}",
        "{\"name\":\"secret\"}x",
        "{\"name\":\"secret\"}{}",
        "{\"name\":\"secret\"}]",
        "{} // secret",
        "{\"a\":NaN}",
        "{\"a\":Infinity}",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":+1}",
        "{\"a\":0x1}",
        "{\"a\":TRUE}",
        "{\"name\":\"sec\tret\"}",
        "{\"name\":\"secret\\x\"}",
        "{\"name\":\"secret\\u12g4\"}",
        "{\"name\":\"secret\\",
        "\f{}",
        "\xC2\xA0{}",
        "name=secret",
    };

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        is_bad(bodies[i]);
    }
}

static void test_characters(void)
{
    is_bad("\xEF\xBB\xBF{\"name\":\"secret\"}");
    is_bad("\xEF\xBB\xBF");
    is_bad("{\"name\":\"secret\\u0000\"}");
    is_bad("{\"name\\u0000\":\"secret\"}");
    is_bad("{\"other\":{\"a\":[\"\\u0000secret\"]}}");
    is_bad("{\"name\":\"secret\\ud800\"}");
    is_bad("{\"name\":\"secret\\udbff\\u0041\"}");
    is_bad("{\"name\":\"secret\\udc00\"}");
    is_bad("{\"name\":\"secret\\ud800\\ud800\"}");
    is_bad("{\"other\":\"\\udfff\"}");
    is_bad("{\"name\":\"secret\xFF\"}");
    is_bad("{\"name\":\"secret\xC3\"}");
    is_bad("{\"name\":\"secret\xC0\x80\"}");
    is_bad("{\"name\":\"secret\xED\xA0\x80\"}");
    is_bad("{\"name\":\"secret\xF4\x90\x80\x80\"}");
    is_bad("{\"name\":\"secret\xE2\x82");
    is_bad("{\"\xFF\":1}");
    is_bad_octets("{\"name\":\"secret\n\"}", 18, "a line break in a string");
    is_bad_octets("{}\0", 3, "NUL behind the object");
    is_bad_octets("\0{}", 3, "NUL before the object");
    is_bad_octets("{\0}", 3, "NUL in the object");
    is_bad_octets("{\"name\":\"secret\0\"}", 18, "NUL in a string");
    is_bad_octets("{\0\"name\":\"secret\"}", 18, "NUL before a member");
    is_good("{\"a\":\"\\uffff\\ud83d\\ude00\x7F\"" REST, "a noncharacter, a pair, DEL");
}

static void test_duplicates(void)
{
    is_bad("{\"name\":\"a\",\"name\":\"secret\"}");
    is_bad("{\"name\":\"a\",\"n\\u0061me\":\"a\"}");
    is_bad("{\"other\":1,\"other\":1}");
    is_bad("{\"other\":[{\"a\":1,\"a\":2}]}");
    is_good("{\"a\":{\"name\":1,\"b\":{\"name\":2}}" REST, "one name in two objects");
}

static char *repeat(const char *text, apr_size_t times)
{
    apr_size_t length = strlen(text);
    char *out = apr_palloc(pool, length * times + 1);

    for (apr_size_t i = 0; i < times; i++) {
        memcpy(out + i * length, text, length);
    }
    out[length * times] = '\0';
    return out;
}

/* JSON sets no limit to numbers, and what an unknown member holds is no concern of ours. */
static void test_numbers(void)
{
    is_good("{\"a\":1e999" REST, "1e999");
    is_good("{\"a\":[-1E+999,1e-999,0.1e999,-0,0e0]" REST, "more of them");
    is_good("{\"a\":99999999999999999999999,\"b\":-9223372036854775809" REST, "large integers");
    is_good(apr_pstrcat(pool, "{\"a\":", repeat("9", 100000), REST, NULL), "100,000 digits");
    is_good(apr_pstrcat(pool, "{\"a\":0.", repeat("9", 100000), REST, NULL), "100,000 decimals");
    is_good("{\"a\":1e999,\"b\":\"1e999 \\\" -1\\\\\"" REST, "with numbers in strings");
    is_bad("{\"a\":1e999,\"b\":01}");
    is_bad("{\"a\":1e999,\"b\":1-2}");
    is_bad("{\"a\":1e999,\"b\":1e}");
    is_bad("{\"a\":1e999,\"b\":-}");
    is_bad("{\"a\":1e999,\"b\":1.e5}");
    is_bad("{\"a\":1e9999.5}");
    is_bad("{\"a\":1e999,\"b\":\"secret");
    is_bad("{\"a\":1e999,\"b\":\"secret\\");
    is_bad("{\"a\":1e999,\"name\":\"\",\"name\":\"secret\"}");
    is_bad("1e999");
    is_bad("{\"a\":1e999} 1e999");
}

/* A number must change no text, not even where the body is read twice. */
static void test_numbers_in_text(void)
{
    static const char body[] = "{\"name\":\"1e999 \\\"42\\\" -7\",\"email\":99999999999999999999}";
    hs_submission submission;
    hs_error *error = read_octets(&submission, body, sizeof(body) - 1);

    tap_ok(!error, "a number too large for a C type");
    tap_is_int((int)submission.email.kind, HS_MEMBER_NOT_STRING, "… is no string");
    tap_is_str(submission.name.text, "1e999 \"42\" -7", "… and the name keeps its digits");
}

static void test_depth(void)
{
    is_good(apr_pstrcat(pool, "{\"a\":", repeat("[", 1000), repeat("]", 1000), REST, NULL),
            "1,000 arrays");
    is_bad(repeat("[", 120000));
    is_bad(repeat("{\"a\":", 25000));
    is_bad(apr_pstrcat(pool, "{\"a\":", repeat("[", 50000), repeat("]", 50000), REST, NULL));
    is_bad(apr_pstrcat(pool, "{\"a\":1e999,\"b\":", repeat("[", 50000), NULL));
}

static void test_place(void)
{
    hs_submission submission;
    hs_error *error = read_octets(&submission, "{\n  \"name\": \"J\",\n  !}", 20);

    tap_ok(error && strstr(error->text, "line 3, column 3"), "the error tells where: %s",
           error ? error->text : "");
    error = read_octets(&submission, "{\"a\":1e999,\n  \"name\": \"J\",\n  !}", 31);
    tap_ok(error && strstr(error->text, "line 3, column 3"), "… behind a large number too: %s",
           error ? error->text : "");
}

static void is_written(const char *text, const char *want)
{
    hs_buffer out;

    hs_buffer_init(&out, 1, pool);
    hs_json_put_string(&out, text);
    tap_is_str(out.data, want, want);
    tap_is_int((apr_int64_t)out.length, (apr_int64_t)strlen(want), "… and its length");
}

static void test_strings(void)
{
    is_written(NULL, "null");
    is_written("", "\"\"");
    is_written("plain", "\"plain\"");
    is_written("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80 and some",
               "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"
               " and some\"");
    is_written("\"", "\"\\\"\"");
    is_written("a\"b\\c/d\b\f\n\r\t", "\"a\\\"b\\\\c/d\\b\\f\\n\\r\\t\"");
    is_written("\x01\x1F\x7F", "\"\\u0001\\u001f\\u007f\"");
    is_written("12345678\n", "\"12345678\\n\"");
    is_written("</script>&'", "\"</script>&'\"");
}

/* Every octet at every place of an eight-octet word: the quick search must miss none. */
static void test_every_octet(void)
{
    int wrong = 0;

    for (int octet = 1; octet < 256; octet++) {
        for (size_t at = 0; at < 19; at++) {
            char text[] = "abcdefgh\xC3\xA9\x80\xFFijklmno";
            int special = octet < 0x20 || octet == '"' || octet == '\\' || octet == 0x7F;
            hs_buffer out;

            text[at] = (char)octet;
            hs_buffer_init(&out, 64, pool);
            hs_json_put_string(&out, text);
            wrong += memcmp(out.data + 1, text, at) != 0;
            wrong += special ? out.data[at + 1] != '\\'
                             : memcmp(out.data + 1, text, 19) != 0 || out.length != 21;
        }
    }
    tap_is_int(wrong, 0, "exactly the special octets are escaped, wherever they stand");
}

static hs_ticket sample(void)
{
    hs_ticket ticket = {
        .id = "0198c1f2-0000-7000-8000-000000000000",
        .number = 42,
        .user_id = "auth0|\"64af",
        .name = "Jane \"J\" Doe",
        .phone_number = "+1234567890",
        .email = "jane@example.com",
        .message = "I'm having\ntrouble.",
        .status = HS_STATUS_RESOLVED,
        .version = 3,
        .created_us = NOON + 999999,
        .updated_us = NOON + 61000000,
    };

    return ticket;
}

#define EIGHT                                                                                      \
    "{\"id\":\"0198c1f2-0000-7000-8000-000000000000\",\"name\":\"Jane \\\"J\\\" Doe\","            \
    "\"phone_number\":\"+1234567890\",\"email\":\"jane@example.com\","                             \
    "\"message\":\"I'm having\\ntrouble.\",\"status\":\"resolved\","                               \
    "\"created_at\":\"2025-07-04T12:00:00Z\",\"updated_at\":\"2025-07-04T12:01:01Z\""
#define TEN EIGHT ",\"number\":42,\"user_id\":\"auth0|\\\"64af\"}"

static void test_tickets(void)
{
    hs_ticket ticket = sample();
    apr_array_header_t *tickets = apr_array_make(pool, 2, sizeof(const hs_ticket *));
    hs_buffer out;

    hs_buffer_init(&out, 1, pool);
    hs_json_put_submitted(&out, &ticket);
    tap_is_str(out.data, EIGHT "}", "the answer to a submission");
    hs_buffer_init(&out, 1, pool);
    hs_json_put_ticket(&out, &ticket);
    tap_is_str(out.data, TEN, "one ticket");
    hs_buffer_init(&out, 1, pool);
    hs_json_put_tickets(&out, tickets);
    tap_is_str(out.data, "[]", "no tickets");
    APR_ARRAY_PUSH(tickets, const hs_ticket *) = &ticket;
    APR_ARRAY_PUSH(tickets, const hs_ticket *) = &ticket;
    hs_buffer_init(&out, 1, pool);
    hs_json_put_tickets(&out, tickets);
    tap_is_str(out.data, "[" TEN "," TEN "]", "two tickets");
}

static void test_events(void)
{
    static const hs_event events[] = {
        {.at_us = NOON, .event = "created"},
        {.at_us = NOON, .event = "mail", .kind = "confirmation", .state = "sent", .detail = ""},
        {.at_us = NOON + 1000000, .event = "status", .from = "open", .to = "closed", .by = "a\"b"},
    };
    apr_array_header_t *array = apr_array_make(pool, 3, sizeof(hs_event));
    hs_buffer out;

    for (int i = 0; i < 3; i++) {
        APR_ARRAY_PUSH(array, hs_event) = events[i];
    }
    hs_buffer_init(&out, 1, pool);
    hs_json_put_events(&out, array);
    tap_is_str(out.data,
               "[{\"at\":\"2025-07-04T12:00:00Z\",\"event\":\"created\"},"
               "{\"at\":\"2025-07-04T12:00:00Z\",\"event\":\"mail\",\"kind\":\"confirmation\","
               "\"state\":\"sent\",\"detail\":\"\"},"
               "{\"at\":\"2025-07-04T12:00:01Z\",\"event\":\"status\",\"from\":\"open\","
               "\"to\":\"closed\",\"by\":\"a\\\"b\"}]",
               "a history");
    apr_array_clear(array);
    hs_buffer_init(&out, 1, pool);
    hs_json_put_events(&out, array);
    tap_is_str(out.data, "[]", "an empty history");
}

static void test_problems(void)
{
    hs_problem *problem = hs_problem_make(422, "2 \"values\".", pool);
    hs_buffer out;

    problem->instance = "urn:request:Zx";
    hs_problem_add_member(problem, "email", "must be one e-mail address");
    hs_problem_add_parameter(problem, "limit", "must be a number");
    hs_buffer_init(&out, 1, pool);
    hs_json_put_problem(&out, problem);
    tap_is_str(out.data,
               "{\"type\":\"about:blank\",\"title\":\"Unprocessable Content\",\"status\":422,"
               "\"detail\":\"2 \\\"values\\\".\",\"instance\":\"urn:request:Zx\",\"errors\":["
               "{\"pointer\":\"#/email\",\"detail\":\"must be one e-mail address\"},"
               "{\"parameter\":\"limit\",\"detail\":\"must be a number\"}]}",
               "a problem with all members");
    hs_buffer_init(&out, 1, pool);
    hs_json_put_problem(&out, hs_problem_make(404, NULL, pool));
    tap_is_str(out.data, "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404}",
               "a problem with few");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_members();
    test_syntax();
    test_characters();
    test_duplicates();
    test_numbers();
    test_numbers_in_text();
    test_depth();
    test_place();
    test_strings();
    test_every_octet();
    test_tickets();
    test_events();
    test_problems();
    return tap_done();
}
