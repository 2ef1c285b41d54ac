/* hs_template.c - layer 3: logic-less templates that escape by context: compile once, render many.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_template.h"

#include "hs_escape.h"
#include "hs_html.h"
#include "hs_source.h"
#include "hs_utf8.h"

#include <apr_strings.h>
#include <apr_tables.h>

#include <string.h>

typedef enum template_kind { KIND_HTML, KIND_TEXT, KIND_SUBJECT, KIND_UNKNOWN } template_kind;

typedef enum node_kind {
    NODE_LITERAL,
    NODE_VALUE,
    NODE_HTML,      /* value in HTML text: line breaks show */
    NODE_ATTRIBUTE, /* value in an attribute, title or textarea */
    NODE_URL_START, /* value that begins a URL attribute */
    NODE_COMPONENT, /* value, percent-encoded */
    NODE_SECTION,   /* skipped if the variable has no value */
    NODE_INVERTED   /* skipped if it has one */
} node_kind;

typedef struct node {
    node_kind kind;
    int name;          /* index into names; not of literals */
    const char *text;  /* of literals */
    apr_size_t length; /* of literals */
    int end;           /* of sections: the index of the first node behind it */
    apr_size_t offset; /* of the tag in the file, for errors */
} node;

struct hs_template {
    hs_source source;
    template_kind kind;
    const hs_template_names *names;
    apr_array_header_t *nodes; /* of node */
};

/* A section whose end has not come yet. */
typedef struct section {
    int node;
    hs_html html; /* where the HTML stood before it */
} section;

typedef struct compiler {
    hs_template *template;
    apr_pool_t *pool;
    apr_size_t at;      /* next octet to read */
    apr_size_t literal; /* where the literal text before `at` begins */
    hs_html html;
    section open[HS_TEMPLATE_MAX_DEPTH];
    int depth;
} compiler;

/* A tag, without its braces and the blanks around its name. */
typedef struct token {
    apr_size_t start; /* offset of "{{" */
    apr_size_t end;   /* offset behind "}}" */
    char sigil;       /* one of # ^ / ! or 'v' for a variable, 'u' for url: */
    const char *word;
    apr_size_t length;
} token;

static template_kind kind_of(const char *file)
{
    const char *dot = strrchr(file, '.');

    if (dot && strcmp(dot, ".html") == 0) {
        return KIND_HTML;
    }
    if (dot && strcmp(dot, ".txt") == 0) {
        return KIND_TEXT;
    }
    return dot && strcmp(dot, ".subject") == 0 ? KIND_SUBJECT : KIND_UNKNOWN;
}

static node *add_node(compiler *c, node_kind kind, int name, apr_size_t offset)
{
    node *made = apr_array_push(c->template->nodes);

    memset(made, 0, sizeof(*made));
    made->kind = kind;
    made->name = name;
    made->offset = offset;
    return made;
}

static int is_blank(char octet)
{
    return octet == ' ' || octet == '\t';
}

/* If only blanks share the line with this tag, *from is where the line begins and *to where the
 * next one does. */
static int is_alone_on_line(const hs_template *t, const token *tag, apr_size_t *from,
                            apr_size_t *to)
{
    *from = tag->start;
    *to = tag->end;
    while (*from > 0 && is_blank(t->source.text[*from - 1])) {
        (*from)--;
    }
    while (*to < t->source.length && is_blank(t->source.text[*to])) {
        (*to)++;
    }
    if ((*from > 0 && t->source.text[*from - 1] != '\n') ||
        (*to < t->source.length && t->source.text[*to] != '\n')) {
        return 0;
    }
    *to += *to < t->source.length;
    return 1;
}

/* Make a node of the text from c->literal to `end`, following the HTML through it. */
static hs_error *end_literal(compiler *c, apr_size_t end)
{
    const hs_template *t = c->template;
    const char *wrong;
    node *literal;
    apr_size_t i;

    for (i = c->literal; t->kind == KIND_HTML && i < end; i++) {
        wrong = hs_html_feed(&c->html, t->source.text[i]);
        if (wrong) {
            return hs_source_error(&t->source, i, wrong, c->pool);
        }
    }
    if (end > c->literal) {
        literal = add_node(c, NODE_LITERAL, 0, c->literal);
        literal->text = t->source.text + c->literal;
        literal->length = end - c->literal;
    }
    return NULL;
}

static int find_name(const hs_template_names *names, const token *tag)
{
    int i;

    for (i = 0; i < names->count; i++) {
        if (strlen(names->names[i].name) == tag->length &&
            memcmp(names->names[i].name, tag->word, tag->length) == 0) {
            return i;
        }
    }
    return -1;
}

static hs_error *read_tag(compiler *c, token *tag)
{
    const hs_template *t = c->template;
    const char *begin = t->source.text + c->at + 2;
    const char *end = strstr(begin, "}}");

    tag->start = c->at;
    if (!end) {
        return hs_source_error(&t->source, c->at, "\"{{\" without \"}}\"", c->pool);
    }
    tag->end = (apr_size_t)(end - t->source.text) + 2;
    tag->sigil = 'v';
    if (*begin != '\0' && strchr("#^/!", *begin)) {
        tag->sigil = *begin++;
    } else if (*begin != '\0' && strchr("{&>=<$%*", *begin)) {
        return hs_source_error(&t->source, c->at,
                               "only {{name}}, {{url:name}}, {{#name}}, {{^name}}, {{/name}} and "
                               "{{! comment }} exist",
                               c->pool);
    } else if (strncmp(begin, "url:", 4) == 0) {
        tag->sigil = 'u';
        begin += 4;
    }
    while (begin < end && is_blank(*begin)) {
        begin++;
    }
    while (end > begin && is_blank(end[-1])) {
        end--;
    }
    tag->word = begin;
    tag->length = (apr_size_t)(end - begin);
    return NULL;
}

static hs_error *add_value(compiler *c, const token *tag, int name)
{
    const hs_template *t = c->template;
    int is_url = t->names->names[name].is_url;
    int is_component = tag->sigil == 'u';
    hs_html_insert insert = is_url ? HS_HTML_WHOLE_URL : HS_HTML_PLAIN;
    int is_url_start =
        c->html.place == HS_HTML_DOUBLE_QUOTED || c->html.place == HS_HTML_SINGLE_QUOTED;
    node_kind kind = NODE_VALUE;
    const char *wrong;

    if (t->kind == KIND_HTML) {
        wrong = hs_html_admit(&c->html, is_component ? HS_HTML_COMPONENT : insert);
        if (wrong) {
            return hs_source_error(&t->source, tag->start,
                                   apr_pstrcat(c->pool, "a variable ", wrong, NULL), c->pool);
        }
        kind = c->html.place == HS_HTML_TEXT ? NODE_HTML : NODE_ATTRIBUTE;
        kind = is_url_start && is_url ? NODE_URL_START : kind;
    }
    add_node(c, is_component ? NODE_COMPONENT : kind, name, tag->start);
    return NULL;
}

static hs_error *open_section(compiler *c, const token *tag, int name)
{
    section *opened = &c->open[c->depth];

    if (c->depth == HS_TEMPLATE_MAX_DEPTH) {
        return hs_source_error(&c->template->source, tag->start, "sections are nested too deeply",
                               c->pool);
    }
    opened->node = c->template->nodes->nelts;
    opened->html = c->html;
    c->depth++;
    add_node(c, tag->sigil == '#' ? NODE_SECTION : NODE_INVERTED, name, tag->start);
    return NULL;
}

static hs_error *close_section(compiler *c, const token *tag, int name)
{
    const hs_template *t = c->template;
    section *closed;
    node *begin;

    if (c->depth == 0) {
        return hs_source_error(&t->source, tag->start, "no section is open here", c->pool);
    }
    closed = &c->open[--c->depth];
    begin = &APR_ARRAY_IDX(t->nodes, closed->node, node);
    if (begin->name != name) {
        return hs_source_error(&t->source, tag->start,
                               apr_pstrcat(c->pool, "the section to close here is ",
                                           t->names->names[begin->name].name, NULL),
                               c->pool);
    }
    if (!hs_html_is_same(&closed->html, &c->html)) {
        return hs_source_error(
            &t->source, begin->offset,
            "with and without this section the HTML would go on in different places", c->pool);
    }
    begin->end = t->nodes->nelts;
    return NULL;
}

static hs_error *add_tag(compiler *c, const token *tag)
{
    int name = find_name(c->template->names, tag);

    if (tag->sigil == '!') {
        return NULL;
    }
    if (name < 0) {
        return hs_source_error(&c->template->source, tag->start,
                               apr_psprintf(c->pool, "there is no variable \"%.*s\"",
                                            (int)(tag->length < 60 ? tag->length : 60), tag->word),
                               c->pool);
    }
    if (tag->sigil == 'v' || tag->sigil == 'u') {
        return add_value(c, tag, name);
    }
    return tag->sigil == '/' ? close_section(c, tag, name) : open_section(c, tag, name);
}

static hs_error *compile_tag(compiler *c)
{
    token tag = {.word = ""};
    apr_size_t from;
    apr_size_t to;
    hs_error *error = read_tag(c, &tag);

    if (error) {
        return error;
    }
    if (tag.sigil == 'v' || tag.sigil == 'u' || !is_alone_on_line(c->template, &tag, &from, &to)) {
        from = tag.start;
        to = tag.end;
    }
    error = end_literal(c, from);
    if (!error) {
        error = add_tag(c, &tag);
    }
    c->at = to;
    c->literal = to;
    return error;
}

static hs_error *compile_end(compiler *c)
{
    const hs_template *t = c->template;
    hs_error *error = end_literal(c, t->source.length);
    const char *open;

    if (error) {
        return error;
    }
    if (c->depth > 0) {
        return hs_source_error(&t->source,
                               APR_ARRAY_IDX(t->nodes, c->open[c->depth - 1].node, node).offset,
                               "this section is not closed", c->pool);
    }
    open = hs_html_open_construct(&c->html);
    return open
               ? hs_source_error(&t->source, t->source.length,
                                 apr_pstrcat(c->pool, "the file ends inside ", open, NULL), c->pool)
               : NULL;
}

static hs_error *compile_nodes(compiler *c)
{
    hs_error *error = NULL;

    while (!error && c->at < c->template->source.length) {
        if (strncmp(c->template->source.text + c->at, "{{", 2) == 0) {
            error = compile_tag(c);
        } else {
            c->at++;
        }
    }
    return error ? error : compile_end(c);
}

hs_error *hs_template_compile(hs_template **made, const char *file, const char *text,
                              apr_size_t length, const hs_template_names *names, apr_pool_t *pool)
{
    hs_template *t = apr_pcalloc(pool, sizeof(*t));
    compiler *c = apr_pcalloc(pool, sizeof(*c));
    hs_error *error = hs_source_read(&t->source, file, text, length, HS_TEMPLATE_MAX_OCTETS, pool);

    *made = NULL;
    if (error) {
        return error;
    }
    t->kind = kind_of(file);
    t->names = names;
    t->nodes = apr_array_make(pool, 32, sizeof(node));
    if (t->kind == KIND_UNKNOWN) {
        return hs_source_error(&t->source, 0, "the name must end in .html, .txt or .subject", pool);
    }
    c->template = t;
    c->pool = pool;
    error = compile_nodes(c);
    if (!error) {
        *made = t;
    }
    return error;
}

int hs_template_is_url(const char *text)
{
    static const char prefix[] = "https://";
    apr_size_t i;

    for (i = 0; i < 8 && (text[i] | 0x20) == (prefix[i] | 0x20); i++) {
    }
    if (i == 4 && text[4] == ':' && text[5] == '/' && text[6] == '/') {
        i = 7;
    } else if (i < 8) {
        return 0;
    }
    return text[i] != '\0' && !strchr("/?#", text[i]) && !strpbrk(text, "\"'<>\\`") &&
           !hs_utf8_has_space(text) && !hs_utf8_has_control(text, 0);
}

static hs_error *render_value(const hs_template *t, const node *n, hs_buffer *out,
                              const char *value, apr_pool_t *pool)
{
    const char *what;

    switch (n->kind) {
    case NODE_URL_START:
        if (!hs_template_is_url(value)) {
            what = *value ? "is not an http or https URL" : "has no value: use a section around it";
            return hs_source_error(
                &t->source, n->offset,
                apr_pstrcat(pool, t->names->names[n->name].name, " ", what, NULL), pool);
        }
        hs_escape_html(out, value, " ");
        break;
    case NODE_HTML:
        hs_escape_html(out, value, "<br>\n");
        break;
    case NODE_ATTRIBUTE:
        hs_escape_html(out, value, " ");
        break;
    case NODE_COMPONENT:
        hs_escape_url(out, value);
        break;
    case NODE_VALUE:
        if (t->kind == KIND_SUBJECT) {
            hs_escape_line(out, value);
        } else {
            hs_escape_text(out, value);
        }
        break;
    case NODE_LITERAL:
    case NODE_SECTION:
    case NODE_INVERTED:
        break;
    }
    return NULL;
}

hs_error *hs_template_render(const hs_template *template, hs_buffer *out, const char *const *values,
                             apr_pool_t *pool)
{
    const node *nodes = (const node *)template->nodes->elts;
    apr_size_t start = out->length;
    hs_error *error = NULL;
    const char *value;
    int i = 0;

    while (!error && i < template->nodes->nelts) {
        const node *n = &nodes[i++];

        if (n->kind == NODE_LITERAL) {
            hs_buffer_append(out, n->text, n->length);
            continue;
        }
        value = values[n->name] ? values[n->name] : "";
        if (n->kind == NODE_SECTION || n->kind == NODE_INVERTED) {
            i = (*value != '\0') == (n->kind == NODE_SECTION) ? i : n->end;
        } else {
            error = render_value(template, n, out, value, pool);
        }
    }
    if (!error && template->kind == KIND_SUBJECT) {
        hs_escape_join_lines(out, start, HS_TEMPLATE_SUBJECT_MAX);
    }
    return error;
}
