/* hs_html.h - layer 1: where in an HTML document one stands, and what may be inserted there. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_HTML_H
#define HS_HTML_H

/* Where the tokenizer of the HTML standard (13.2.5) would stand. */
typedef enum hs_html_place {
    HS_HTML_TEXT = 0,
    HS_HTML_OPENED,  /* after "<" */
    HS_HTML_CLOSING, /* after "</" */
    HS_HTML_TAG_NAME,
    HS_HTML_BEFORE_NAME, /* where an attribute's name may begin */
    HS_HTML_NAME,
    HS_HTML_AFTER_NAME,
    HS_HTML_BEFORE_VALUE,
    HS_HTML_DOUBLE_QUOTED,
    HS_HTML_SINGLE_QUOTED,
    HS_HTML_UNQUOTED,
    HS_HTML_DECLARATION, /* after "<!", while it may still become a comment */
    HS_HTML_COMMENT,
    HS_HTML_BOGUS_COMMENT, /* a doctype, too: up to ">" */
    HS_HTML_RAW            /* in an element whose content has no tags: script, title, ... */
} hs_html_place;

/* How far the literal text of a URL attribute has decided what the URL points at. */
typedef enum hs_html_url {
    HS_HTML_URL_START = 0,
    HS_HTML_URL_SCHEME,    /* "htt": still open */
    HS_HTML_URL_SLASH,     /* "/": a path, or the beginning of "//host" */
    HS_HTML_URL_HOST,      /* "https:", "https://exa" */
    HS_HTML_URL_COMPONENT, /* begins with an inserted component: a colon would make it a scheme */
    HS_HTML_URL_REST,      /* scheme and host can't change any more */
    HS_HTML_URL_BAD        /* javascript: and the like */
} hs_html_url;

/* A position. All zero is the beginning of a document. Copy and compare it freely. */
typedef struct hs_html {
    hs_html_place place;
    hs_html_url url;
    int is_end_tag;
    unsigned run;       /* dashes of a comment, or matched octets of a raw element's end tag */
    char tag[16];       /* lower case, cut to what fits */
    char attribute[16]; /* likewise */
    char scheme[8];     /* likewise */
} hs_html;

/* What is to be inserted. All of them are escaped for HTML too. */
typedef enum hs_html_insert {
    HS_HTML_PLAIN,     /* any text */
    HS_HTML_WHOLE_URL, /* known to begin with http:// or https:// */
    HS_HTML_COMPONENT  /* percent-encoded but for RFC 3986 unreserved and "@" */
} hs_html_insert;

/* Move over one octet of literal text. Returns NULL, or what is wrong with it there. */
const char *hs_html_feed(hs_html *html, char octet);

/* Move over something inserted. Returns NULL, or why it must not stand there, as a phrase that
 * follows "a variable". Refused: script, style and the like, comments, tag and attribute names,
 * unquoted values, on*, style, srcset, srcdoc and content; in href, src and other URL attributes
 * all but a whole URL at the start, and components where scheme and host are fixed (or at the
 * start, where they make a relative path). */
const char *hs_html_admit(hs_html *html, hs_html_insert insert);

/* Whether both are the same position, so that the text between them may be left out. */
int hs_html_is_same(const hs_html *one, const hs_html *other);

/* NULL where a document may end, else what is still open. */
const char *hs_html_open_construct(const hs_html *html);

#endif
