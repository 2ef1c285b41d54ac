/* test_template.c - the template language: rendering, escaping, and errors with their position. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_template.h"

#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

static apr_pool_t *pool;

static const hs_template_name name_list[] = {
    {"name", 0}, {"none", 0}, {"site.url", 1}, {"no.url", 1}};
static const hs_template_names names = {name_list, 4};
static const char *const nasty = "<b> & \"'\r\n\x01x\xE2\x80\xAEy\xC2\x85z";

static const char *compile_error(const char *file, const char *text, apr_size_t length)
{
    hs_template *template;
    hs_error *error = hs_template_compile(&template, file, text, length, &names, pool);

    if (!error) {
        return "compiled";
    }
    return error->code == HS_CONFIGURATION && !template ? error->text : "wrong code";
}

/* Compile and render with name = `value`; an error's text is returned like the output. */
static const char *rendered(const char *file, const char *text, const char *value)
{
    const char *values[] = {value, NULL, "https://example.com/?a=1&b=2", NULL};
    hs_template *template;
    hs_error *error = hs_template_compile(&template, file, text, strlen(text), &names, pool);
    hs_buffer out;

    hs_buffer_init(&out, 1, pool);
    if (!error) {
        error = hs_template_render(template, &out, values, pool);
    }
    return error ? error->text : out.data;
}

static void test_variables(void)
{
    tap_is_str(rendered("a.txt", "Hi {{name}}, {{ name }}!", "Jo"), "Hi Jo, Jo!", "variables");
    tap_is_str(rendered("a.txt", "[{{none}}]", "Jo"), "[]", "without value");
    tap_is_str(rendered("a.txt", "", "Jo"), "", "empty file");
    tap_is_str(rendered("a.txt", "a } }} { b", "Jo"), "a } }} { b", "single braces are text");
    tap_is_str(rendered("a.txt",
                        "\xEF\xBB\xBF"
                        "a\r\n{{name}}\r\n",
                        "Jo"),
               "a\nJo\n", "byte order mark and CR of an editor");
    tap_is_str(rendered("a.txt", "{{url:name}}", "a b/\xC3\xA4@~"), "a%20b%2F%C3%A4@~", "url:");
}

static void test_sections(void)
{
    tap_is_str(rendered("a.txt", "a{{#name}}b{{/name}}c", "Jo"), "abc", "section");
    tap_is_str(rendered("a.txt", "a{{#name}}b{{/name}}c", NULL), "ac", "section without value");
    tap_is_str(rendered("a.txt", "a{{#name}}b{{/name}}c", ""), "ac", "\"\" is no value");
    tap_is_str(rendered("a.txt", "a{{^name}}b{{/name}}c", NULL), "abc", "inverted");
    tap_is_str(rendered("a.txt", "a{{^name}}b{{/name}}c", "x"), "ac", "inverted with value");
    tap_is_str(
        rendered("a.txt", "{{#name}}1{{^none}}2{{#none}}3{{/none}}4{{/none}}5{{/name}}6", "x"),
        "12456", "nested");
    tap_is_str(rendered("a.txt", "{{#name}}{{/name}}", "x"), "", "empty section");
    tap_is_str(rendered("a.txt", "a\n{{#name}}\nb\n  {{/name}}  \nc", "x"), "a\nb\nc",
               "tags alone on a line take it away");
    tap_is_str(rendered("a.txt", "a\n\n{{! x }}\n{{^name}}\nb\n{{/name}}\n", "x"), "a\n\n",
               "comments too, and at the end of the file");
    tap_is_str(rendered("a.txt", "{{#name}}\nb{{/name}} \n", "x"), "b \n", "but not others");
    tap_is_str(rendered("a.txt", "a{{! {{x }}b\n {{name}} \n", "x"), "ab\n x \n",
               "a variable alone on a line leaves it");
}

static void test_escaping(void)
{
    tap_is_str(rendered("a.html", "{{name}}", nasty), "&lt;b&gt; &amp; &quot;&#39;<br>\nxy<br>\nz",
               "HTML text");
    tap_is_str(rendered("a.html", "<p title='{{name}}'></p>", nasty),
               "<p title='&lt;b&gt; &amp; &quot;&#39; xy z'></p>", "attribute");
    tap_is_str(rendered("a.html", "<title>{{name}}</title>", "</title>\n"),
               "<title>&lt;/title&gt; </title>", "title");
    tap_is_str(rendered("a.html", "<a href=\"{{site.url}}\">{{site.url}}</a>", ""),
               "<a href=\"https://example.com/?a=1&amp;b=2\">https://example.com/?a=1&amp;b=2</a>",
               "a URL");
    tap_is_str(rendered("a.html", "<a href=\"https://x/{{url:name}}\">", "\"><script>:"),
               "<a href=\"https://x/%22%3E%3Cscript%3E%3A\">", "component of a URL");
    tap_is_str(rendered("a.txt", "{{name}}", nasty), "<b> & \"'\nxy\nz", "text");
    tap_is_str(rendered("a.subject", " {{name}} \n b\t{{site.url}}\n", nasty),
               "<b> & \"' xy z b https://example.com/?a=1&b=2", "subject is one line");
}

static void test_long_subject(void)
{
    char emoji[4 * 250 + 1];
    const char *subject;
    int i;

    for (i = 0; i < 250; i++) {
        memcpy(emoji + 4 * i, "\xF0\x9F\x98\x80", 5);
    }
    subject = rendered("a.subject", "{{name}}", emoji);
    tap_is_int((apr_int64_t)strlen(subject), 4 * 200, "200 code points of a subject");
    tap_ok(strncmp(subject, emoji, 800) == 0, "not cut within one");
}

static void test_refused(void)
{
    static const struct {
        const char *file;
        const char *text;
        const char *error; /* up to what follows the position */
    } cases[] = {
        {"a.txt", "{{nobody}}", "a.txt:1:1: there is no variable \"nobody\""},
        {"a.txt", "{{}}", "a.txt:1:1: there is no variable \"\""},
        {"a.txt", "{{#nobody}}{{/nobody}}", "a.txt:1:1: there is no"},
        {"a.txt", "a\n\xC3\xA4\xC3\xA4 {{name", "a.txt:2:4: \"{{\" without"},
        {"a.txt", "a {{{name}}}", "a.txt:1:3: only"},
        {"a.txt", "{{&name}}", "a.txt:1:1: only"},
        {"a.txt", "{{> name}}", "a.txt:1:1: only"},
        {"a.txt", "{{=<% %>=}}", "a.txt:1:1: only"},
        {"a.txt", "{{name.x}}", "a.txt:1:1: there is no"},
        {"a.txt", "{{#url:name}}", "a.txt:1:1: there is no"},
        {"a.txt", "\n  {{#name}}", "a.txt:2:3: this section is not closed"},
        {"a.txt", "{{/name}}", "a.txt:1:1: no section is open"},
        {"a.txt", "{{#name}}{{#none}}{{/name}}", "a.txt:1:19: the section to close here is none"},
        {"a.txt", "a\n\xFFz", "a.txt:2:1: this is not UTF-8"},
        {"a.txt", "\xC3\xA4\xED\xA0\x80", "a.txt:1:2: this is not UTF-8"},
        {"a.txt", "ab\x01", "a.txt:1:3: this is a control"},
        {"a.txt", "ab\xC2\x9F", "a.txt:1:3: this is a control"},
        {"a.txt", "a\rb", "a.txt:1:2: this is a control"},
        {"a.md", "x", "a.md:1:1: the name must end"},
        {"html", "x", "html:1:1: the name must end"},
        {"d/a.html", "<p>\n<script>{{name}}</script>", "d/a.html:2:9: a variable must not"},
        {"a.html", "<style>{{name}}</style>", "a.html:1:8: a variable must not"},
        {"a.html", "<!-- {{name}} -->", "a.html:1:6: a variable must not"},
        {"a.html", "<{{name}}>", "a.html:1:2: a variable must not"},
        {"a.html", "<p {{name}}>", "a.html:1:4: a variable must not"},
        {"a.html", "<p a={{name}}>", "a.html:1:6: a variable must not"},
        {"a.html", "<p onload=\"{{name}}\">", "a.html:1:12: a variable must not"},
        {"a.html", "<a href=\"{{name}}\">", "a.html:1:10: a variable in a URL"},
        {"a.html", "<a href=\"javascript:{{url:name}}\">", "a.html:1:21: a variable must not"},
        {"a.html", "<a href=\"{{url:name}}:x\">", "a.html:1:22: the variable before"},
        {"a.html", "<a href=\"{{site.url}}{{url:name}}\">", "a.html:1:22: a variable must not"},
        {"a.html", "<a href=\"/{{site.url}}\">", "a.html:1:11: a variable that is a whole URL"},
        {"a.html", "<p", "a.html:1:3: the file ends inside a tag"},
        {"a.html", "<!-- ", "a.html:1:6: the file ends inside a comment"},
        {"a.html", "<title>", "a.html:1:8: the file ends inside an element"},
        {"a.html", "{{#name}}<p {{/name}}>", "a.html:1:1: with and without this section"},
        {"a.html", "{{#name}}<!--{{/name}}-->", "a.html:1:1: with and without this section"},
        {"a.html", "<p a=\"{{#name}}\" b=\"{{/name}}\">", "a.html:1:7: with and without"},
        {"a.html", "<a href=\"{{no.url}}\">", "a.html:1:10: no.url has no value"},
    };
    const char *got;
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        got = rendered(cases[i].file, cases[i].text, "x");
        tap_ok(strncmp(got, cases[i].error, strlen(cases[i].error)) == 0, "%s", cases[i].error);
        if (strncmp(got, cases[i].error, strlen(cases[i].error)) != 0) {
            printf("# got: %s\n", got);
        }
    }
}

static void test_limits(void)
{
    char *large = apr_palloc(pool, HS_TEMPLATE_MAX_OCTETS + 1);
    char deep[(HS_TEMPLATE_MAX_DEPTH + 1) * 9 + 1];
    int i;

    memset(large, 'a', HS_TEMPLATE_MAX_OCTETS + 1);
    tap_is_str(compile_error("a.txt", large, HS_TEMPLATE_MAX_OCTETS), "compiled", "256 KB");
    tap_is_str(compile_error("a.txt", large, HS_TEMPLATE_MAX_OCTETS + 1),
               "a.txt:1:1: larger than 262144 octets", "256 KB and one octet");
    tap_is_str(compile_error("a.txt", "a\0b", 3), "a.txt:1:2: this is a control character", "NUL");
    for (i = 0; i <= HS_TEMPLATE_MAX_DEPTH; i++) {
        memcpy(deep + 9 * i, "{{#name}}", 10);
    }
    tap_is_str(compile_error("a.txt", deep, strlen(deep)),
               "a.txt:1:145: sections are nested too deeply", "depth");
}

static void test_is_url(void)
{
    static const char *const good[] = {"http://a", "https://example.com/x?y#z",
                                       "HTTPS://\xC3\xA4.example"};
    static const char *const bad[] = {
        "",          "http",      "http:",        "http:/a",
        "http://",   "https:///", "http://?",     "ftp://a",
        "//a",       "a",         "http://a b",   "http://a\"",
        "http://a<", "http://a'", " http://a",    "javascript:http://",
        "https:a",   "httpsx://", "http://a\x7F", "https://a\n"};
    size_t i;

    for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
        tap_ok(hs_template_is_url(good[i]), "URL: %s", good[i]);
    }
    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        tap_ok(!hs_template_is_url(bad[i]), "no URL, case %d", (int)i);
    }
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_variables();
    test_sections();
    test_escaping();
    test_long_subject();
    test_refused();
    test_limits();
    test_is_url();
    return tap_done();
}
