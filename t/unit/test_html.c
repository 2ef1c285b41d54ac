/* test_html.c - which places of an HTML document take a variable, and which do not. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_html.h"

#include "tap.h"

#include <apr_general.h>

/* Feed `before`; returns NULL if `insert` may follow, else the reason. */
static const char *refusal(const char *before, hs_html_insert insert)
{
    hs_html html = {0};
    const char *wrong = NULL;

    for (; *before && !wrong; before++) {
        wrong = hs_html_feed(&html, *before);
    }
    return wrong ? wrong : hs_html_admit(&html, insert);
}

/* What comes before a variable that is allowed there, and refused. */
static const char *const good[] = {
    "",
    "<p>",
    "a < b ",
    "<p title=\"",
    "<p title='",
    "<p title = \"a'b",
    "<title>",
    "<textarea>",
    "<title></titl",
    "<style></style>",
    "<STYLE>p{}</Style >",
    "<script>if (a</b) {}</script>",
    "<!-- --><p>",
    "<!-->",
    "<!--->",
    "<!-- --!>",
    "<!-- <p> -- > -->",
    "<!doctype html>",
    "<?xml ?>",
    "</>",
    "</p>",
    "<p a=b c>",
    "<p a=\"b\"c='d'>",
    "<br/>",
    "<a href=\"x\" title=\"",
    "<p data-x=\"",
};
static const char *const bad[] = {
    "<",
    "</",
    "<p",
    "<p ",
    "<p a",
    "<p a ",
    "<p a=",
    "<p a= ",
    "<p a=b",
    "<p a='b' ",
    "<p onclick=\"",
    "<p ONCLICK='a(",
    "<p style=\"color:",
    "<img srcset=\"",
    "<iframe srcdoc='",
    "<meta content=\"",
    "<a href=\"",
    "<a href=\"http://x/?",
    "<a HREF='/x",
    "<form action=\"/",
    "<script>",
    "<script>'",
    "<SCRIPT src='x'>",
    "<script/>",
    "<style>",
    "<style></styl",
    "<style></stylex>",
    "<script></ script>",
    "<script><!--",
    "<iframe>",
    "<plaintext></plaintext",
    "<!--",
    "<!-- --",
    "<!-- -- >",
    "<!-",
    "<!doctype ",
    "<?",
    "</ x",
};

static void test_plain_places(void)
{
    size_t i;

    for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
        tap_is_str(refusal(good[i], HS_HTML_PLAIN), NULL, good[i]);
    }
    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        tap_ok(refusal(bad[i], HS_HTML_PLAIN) != NULL, "refused: %s", bad[i]);
    }
}

static void test_urls(void)
{
    static const char *const whole[] = {"<a href=\"", "<img src='", "<a title='"};
    static const char *const not_whole[] = {"<a href=\" ", "<a href=\"x",  "<a href=\"http://",
                                            "<a href=",    "<a onclick='", "<a style='"};
    static const char *const component[] = {
        "<a href=\"",
        "<a href=\"/",
        "<a href=\"?q=",
        "<a href=\"#",
        "<a href=\"a/b/",
        "<a href=\"https://example.com/",
        "<a href=\"HTTP://example.com?",
        "<a href=\"mailto:",
        "<a href=\"tel:",
        "<p title=\"",
    };
    static const char *const not_component[] = {
        "<a href=\"javascript:",  "<a href=\"java",       "<a href=\"data:text/html,",
        "<a href=\"https:",       "<a href=\"https://",   "<a href=\"https://example.",
        "<a href=\"//",           "<a href=\"/\\",        "<a href=\"&#106;",
        "<a href=\" javascript:", "<a href=\"https:////", "<a href=\"mailto:x\" onclick='",
    };
    size_t i;

    for (i = 0; i < sizeof(whole) / sizeof(*whole); i++) {
        tap_is_str(refusal(whole[i], HS_HTML_WHOLE_URL), NULL, whole[i]);
    }
    for (i = 0; i < sizeof(not_whole) / sizeof(*not_whole); i++) {
        tap_ok(refusal(not_whole[i], HS_HTML_WHOLE_URL) != NULL, "no URL: %s", not_whole[i]);
    }
    for (i = 0; i < sizeof(component) / sizeof(*component); i++) {
        tap_is_str(refusal(component[i], HS_HTML_COMPONENT), NULL, component[i]);
    }
    for (i = 0; i < sizeof(not_component) / sizeof(*not_component); i++) {
        tap_ok(refusal(not_component[i], HS_HTML_COMPONENT) != NULL, "no component: %s",
               not_component[i]);
    }
}

static void test_component_as_scheme(void)
{
    hs_html html = {0};
    const char *at;

    for (at = "<a href=\""; *at; at++) {
        tap_is_str(hs_html_feed(&html, *at), NULL, "literal");
    }
    tap_is_str(hs_html_admit(&html, HS_HTML_COMPONENT), NULL, "a component may begin a path");
    tap_ok(hs_html_feed(&html, ':') != NULL, "but must not become a scheme");
}

static void test_open_constructs(void)
{
    hs_html html = {0};
    hs_html before = html;

    tap_is_str(hs_html_open_construct(&html), NULL, "an empty document is complete");
    hs_html_feed(&html, '<');
    tap_is_str(hs_html_open_construct(&html), "a tag", "an open tag");
    tap_ok(!hs_html_is_same(&html, &before), "another position");
    hs_html_feed(&html, 'p');
    hs_html_feed(&html, '>');
    tap_ok(hs_html_is_same(&html, &before), "after the tag it is text again");
}

int main(void)
{
    apr_initialize();
    test_plain_places();
    test_urls();
    test_component_as_scheme();
    test_open_constructs();
    return tap_done();
}
