/* hs_html.c - layer 1: where in an HTML document one stands, and what may be inserted there. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_html.h"

#include <stddef.h>
#include <string.h>

static int is_letter(char octet)
{
    return (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z');
}

static int is_space(char octet)
{
    return octet == ' ' || octet == '\t' || octet == '\n' || octet == '\r' || octet == '\f';
}

static char lower(char octet)
{
    return (char)(octet >= 'A' && octet <= 'Z' ? octet + ('a' - 'A') : octet);
}

/* Names longer than the room are cut: none that matters here is. */
static void add_to(char *word, size_t size, char octet)
{
    size_t length = strlen(word);

    if (length + 1 < size) {
        word[length] = lower(octet);
        word[length + 1] = '\0';
    }
}

/* `names` are separated and surrounded by spaces, which no name can hold. */
static int is_among(const char *name, const char *names)
{
    size_t length = strlen(name);
    const char *at = names;

    if (length == 0) {
        return 0;
    }
    while ((at = strstr(at, name)) != NULL && (at[-1] != ' ' || at[length] != ' ')) {
        at++;
    }
    return at != NULL;
}

static int has_raw_content(const char *tag)
{
    return is_among(tag, " script style title textarea xmp iframe noembed noframes noscript "
                         "plaintext ");
}

static int is_url_attribute(const char *name)
{
    return is_among(name, " href src action formaction background cite data poster longdesc ping "
                          "xlink:href manifest codebase usemap classid profile dynsrc lowsrc "
                          "archive icon ");
}

static void begin_tag(hs_html *html, int is_end_tag, char octet)
{
    html->place = HS_HTML_TAG_NAME;
    html->is_end_tag = is_end_tag;
    memset(html->tag, 0, sizeof(html->tag));
    add_to(html->tag, sizeof(html->tag), octet);
}

static void end_tag(hs_html *html)
{
    int is_raw = !html->is_end_tag && has_raw_content(html->tag);

    html->place = is_raw ? HS_HTML_RAW : HS_HTML_TEXT;
    html->run = 0;
    if (!is_raw) {
        memset(html->tag, 0, sizeof(html->tag));
    }
    html->is_end_tag = 0;
    memset(html->attribute, 0, sizeof(html->attribute));
}

static void begin_value(hs_html *html, hs_html_place place)
{
    html->place = place;
    html->url = HS_HTML_URL_START;
    memset(html->scheme, 0, sizeof(html->scheme));
}

static void end_value(hs_html *html)
{
    begin_value(html, HS_HTML_BEFORE_NAME);
    memset(html->attribute, 0, sizeof(html->attribute));
}

static void feed_opened(hs_html *html, char octet)
{
    if (is_letter(octet)) {
        begin_tag(html, 0, octet);
    } else if (octet == '/') {
        html->place = HS_HTML_CLOSING;
    } else if (octet == '!') {
        html->place = HS_HTML_DECLARATION;
        html->run = 0;
    } else if (octet == '?') {
        html->place = HS_HTML_BOGUS_COMMENT;
    } else if (octet != '<') {
        html->place = HS_HTML_TEXT;
    }
}

static void feed_closing(hs_html *html, char octet)
{
    if (is_letter(octet)) {
        begin_tag(html, 1, octet);
    } else {
        html->place = octet == '>' ? HS_HTML_TEXT : HS_HTML_BOGUS_COMMENT;
    }
}

static void feed_tag_name(hs_html *html, char octet)
{
    if (octet == '>') {
        end_tag(html);
    } else if (octet == '/' || is_space(octet)) {
        html->place = HS_HTML_BEFORE_NAME;
    } else {
        add_to(html->tag, sizeof(html->tag), octet);
    }
}

static void feed_before_name(hs_html *html, char octet)
{
    if (octet == '>') {
        end_tag(html);
    } else if (octet != '/' && !is_space(octet)) {
        html->place = HS_HTML_NAME;
        memset(html->attribute, 0, sizeof(html->attribute));
        add_to(html->attribute, sizeof(html->attribute), octet);
    }
}

static void feed_name(hs_html *html, char octet)
{
    if (octet == '>') {
        end_tag(html);
    } else if (octet == '=') {
        html->place = HS_HTML_BEFORE_VALUE;
    } else if (octet == '/') {
        html->place = HS_HTML_BEFORE_NAME;
    } else if (is_space(octet)) {
        html->place = HS_HTML_AFTER_NAME;
    } else {
        add_to(html->attribute, sizeof(html->attribute), octet);
    }
}

static void feed_after_name(hs_html *html, char octet)
{
    if (octet == '=') {
        html->place = HS_HTML_BEFORE_VALUE;
    } else if (!is_space(octet)) {
        feed_before_name(html, octet);
    }
}

static void feed_before_value(hs_html *html, char octet)
{
    if (octet == '"') {
        begin_value(html, HS_HTML_DOUBLE_QUOTED);
    } else if (octet == '\'') {
        begin_value(html, HS_HTML_SINGLE_QUOTED);
    } else if (octet == '>') {
        end_tag(html);
    } else if (!is_space(octet)) {
        html->place = HS_HTML_UNQUOTED;
    }
}

static void feed_unquoted(hs_html *html, char octet)
{
    if (octet == '>') {
        end_tag(html);
    } else if (is_space(octet)) {
        end_value(html);
    }
}

static hs_html_url url_after_scheme(const char *scheme)
{
    if (is_among(scheme, " http https ")) {
        return HS_HTML_URL_HOST;
    }
    return is_among(scheme, " mailto tel ") ? HS_HTML_URL_REST : HS_HTML_URL_BAD;
}

static hs_html_url url_from_start(hs_html *html, char octet)
{
    if (is_letter(octet)) {
        add_to(html->scheme, sizeof(html->scheme), octet);
        return HS_HTML_URL_SCHEME;
    }
    if (octet == '/') {
        return html->url == HS_HTML_URL_START ? HS_HTML_URL_SLASH : HS_HTML_URL_REST;
    }
    if (octet == '?' || octet == '#') {
        return HS_HTML_URL_REST;
    }
    return octet == ':' ? url_after_scheme(html->scheme) : HS_HTML_URL_BAD;
}

/* The slashes before a host are passed over, however many a browser would accept. */
static hs_html_url url_in_host(hs_html *html, char octet)
{
    if (octet == '?' || octet == '#') {
        return HS_HTML_URL_REST;
    }
    if (octet == '/') {
        return html->scheme[0] == '/' ? HS_HTML_URL_REST : HS_HTML_URL_HOST;
    }
    memset(html->scheme, 0, sizeof(html->scheme));
    html->scheme[0] = '/';
    return HS_HTML_URL_HOST;
}

static const char *feed_url(hs_html *html, char octet)
{
    switch (html->url) {
    case HS_HTML_URL_START:
    case HS_HTML_URL_SCHEME:
        html->url = url_from_start(html, octet);
        break;
    case HS_HTML_URL_SLASH:
        html->url = octet == '/' || octet == '\\' ? HS_HTML_URL_HOST : HS_HTML_URL_REST;
        break;
    case HS_HTML_URL_HOST:
        html->url = url_in_host(html, octet);
        break;
    case HS_HTML_URL_COMPONENT:
        if (octet == ':' || octet == '&') {
            return "the variable before this could become the scheme of the URL";
        }
        if (octet == '/' || octet == '?' || octet == '#') {
            html->url = HS_HTML_URL_REST;
        }
        break;
    case HS_HTML_URL_REST:
    case HS_HTML_URL_BAD:
        break;
    }
    return NULL;
}

static const char *feed_quoted(hs_html *html, char octet)
{
    if (octet == (html->place == HS_HTML_DOUBLE_QUOTED ? '"' : '\'')) {
        end_value(html);
        return NULL;
    }
    return is_url_attribute(html->attribute) ? feed_url(html, octet) : NULL;
}

/* "<!-->" and "<!--->" are complete comments, so the two dashes of the opening count. */
static void feed_declaration(hs_html *html, char octet)
{
    if (octet == '-') {
        html->run++;
        html->place = html->run == 2 ? HS_HTML_COMMENT : HS_HTML_DECLARATION;
    } else {
        html->place = octet == '>' ? HS_HTML_TEXT : HS_HTML_BOGUS_COMMENT;
        html->run = 0;
    }
}

/* "--!>" ends a comment as well: the "!" keeps the dashes. */
static void feed_comment(hs_html *html, char octet)
{
    if (octet == '>' && html->run >= 2) {
        html->place = HS_HTML_TEXT;
        html->run = 0;
    } else if (octet == '-') {
        html->run += html->run < 2;
    } else if (octet != '!') {
        html->run = 0;
    }
}

/* `run` octets of "</" and the element's name have been seen. */
static const char *feed_raw(hs_html *html, char octet)
{
    size_t name_length = strlen(html->tag);
    size_t matched = html->run;

    if (matched == name_length + 2 && (octet == '>' || octet == '/' || is_space(octet))) {
        html->is_end_tag = 1;
        html->place = HS_HTML_BEFORE_NAME;
        html->run = 0;
        feed_before_name(html, octet);
        return NULL;
    }
    if (octet == '!' && matched == 1 && strcmp(html->tag, "script") == 0) {
        return "\"<!\" in a script changes where it ends";
    }
    if ((matched == 1 && octet == '/') ||
        (matched >= 2 && matched < name_length + 2 && lower(octet) == html->tag[matched - 2])) {
        html->run++;
    } else {
        html->run = octet == '<';
    }
    return NULL;
}

const char *hs_html_feed(hs_html *html, char octet)
{
    switch (html->place) {
    case HS_HTML_TEXT:
        html->place = octet == '<' ? HS_HTML_OPENED : HS_HTML_TEXT;
        break;
    case HS_HTML_OPENED:
        feed_opened(html, octet);
        break;
    case HS_HTML_CLOSING:
        feed_closing(html, octet);
        break;
    case HS_HTML_TAG_NAME:
        feed_tag_name(html, octet);
        break;
    case HS_HTML_BEFORE_NAME:
        feed_before_name(html, octet);
        break;
    case HS_HTML_NAME:
        feed_name(html, octet);
        break;
    case HS_HTML_AFTER_NAME:
        feed_after_name(html, octet);
        break;
    case HS_HTML_BEFORE_VALUE:
        feed_before_value(html, octet);
        break;
    case HS_HTML_DOUBLE_QUOTED:
    case HS_HTML_SINGLE_QUOTED:
        return feed_quoted(html, octet);
    case HS_HTML_UNQUOTED:
        feed_unquoted(html, octet);
        break;
    case HS_HTML_DECLARATION:
        feed_declaration(html, octet);
        break;
    case HS_HTML_COMMENT:
        feed_comment(html, octet);
        break;
    case HS_HTML_BOGUS_COMMENT:
        html->place = octet == '>' ? HS_HTML_TEXT : HS_HTML_BOGUS_COMMENT;
        break;
    case HS_HTML_RAW:
        return feed_raw(html, octet);
    }
    return NULL;
}

static const char *admit_whole_url(hs_html *html)
{
    if (html->url != HS_HTML_URL_START) {
        return "that is a whole URL must stand at the start of the attribute";
    }
    html->url = HS_HTML_URL_HOST;
    html->scheme[0] = '/';
    return NULL;
}

/* A component has no slash, so behind a first "/" it makes a path, never "//host". */
static const char *admit_component(hs_html *html)
{
    int is_start = html->url == HS_HTML_URL_START || html->url == HS_HTML_URL_COMPONENT;

    if (!is_start && html->url != HS_HTML_URL_SLASH && html->url != HS_HTML_URL_REST) {
        return "must not decide the scheme or the host of a URL: literal text must";
    }
    html->url = is_start ? HS_HTML_URL_COMPONENT : HS_HTML_URL_REST;
    return NULL;
}

static const char *admit_value(hs_html *html, hs_html_insert insert)
{
    if (strncmp(html->attribute, "on", 2) == 0) {
        return "must not stand in an event handler (on...)";
    }
    if (is_among(html->attribute, " style srcset imagesrcset srcdoc content ")) {
        return "must not stand in style, srcset, srcdoc or content";
    }
    if (!is_url_attribute(html->attribute)) {
        return NULL;
    }
    if (insert == HS_HTML_WHOLE_URL) {
        return admit_whole_url(html);
    }
    return insert == HS_HTML_COMPONENT ? admit_component(html)
                                       : "in a URL must be written {{url:name}}";
}

const char *hs_html_admit(hs_html *html, hs_html_insert insert)
{
    switch (html->place) {
    case HS_HTML_TEXT:
        return NULL;
    case HS_HTML_RAW:
        html->run = 0;
        return strcmp(html->tag, "title") == 0 || strcmp(html->tag, "textarea") == 0
                   ? NULL
                   : "must not stand in script, style or another element without markup";
    case HS_HTML_OPENED:
    case HS_HTML_CLOSING:
    case HS_HTML_TAG_NAME:
        return "must not stand in a tag's name";
    case HS_HTML_BEFORE_NAME:
    case HS_HTML_NAME:
    case HS_HTML_AFTER_NAME:
        return "must not stand in an attribute's name";
    case HS_HTML_BEFORE_VALUE:
    case HS_HTML_UNQUOTED:
        return "must not stand in an unquoted attribute";
    case HS_HTML_DOUBLE_QUOTED:
    case HS_HTML_SINGLE_QUOTED:
        return admit_value(html, insert);
    case HS_HTML_DECLARATION:
    case HS_HTML_COMMENT:
    case HS_HTML_BOGUS_COMMENT:
        break;
    }
    return "must not stand in a comment or declaration";
}

int hs_html_is_same(const hs_html *one, const hs_html *other)
{
    return one->place == other->place && one->url == other->url &&
           one->is_end_tag == other->is_end_tag && one->run == other->run &&
           strcmp(one->tag, other->tag) == 0 && strcmp(one->attribute, other->attribute) == 0 &&
           strcmp(one->scheme, other->scheme) == 0;
}

const char *hs_html_open_construct(const hs_html *html)
{
    if (html->place == HS_HTML_TEXT) {
        return NULL;
    }
    if (html->place == HS_HTML_RAW) {
        return "an element without markup (title, style, ...)";
    }
    return html->place >= HS_HTML_DECLARATION ? "a comment" : "a tag";
}
