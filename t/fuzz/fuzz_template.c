/* fuzz_template.c - h, t or s and a template; no value may bring markup, control characters or
 * further lines into what is rendered. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "hs_template.h"
#include "hs_utf8.h"

#include <apr_general.h>
#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>

static const hs_template_name name_list[] = {{"a", 0}, {"b", 0}, {"u", 1}};
static const hs_template_names names = {name_list, 3};

/* Each with and without anything awkward: what may differ are letters, never markup. */
static const char *const tame[] = {"x", NULL, "https://example.com/"};
static const char *const wild[] = {"\"><script>'<!--&\t\x01\xE2\x80\xAEjavascript:{{a}}\xC2\x9B",
                                   NULL, "HTTP://example.com/?a&b"};

static void require(int holds)
{
    if (!holds) {
        abort();
    }
}

static int count(const char *text, char octet)
{
    int found = 0;

    for (; *text; text++) {
        found += *text == octet;
    }
    return found;
}

static const char *render(const hs_template *template, const char *const *values, apr_pool_t *pool)
{
    hs_buffer out;
    hs_error *error;

    hs_buffer_init(&out, 1, pool);
    error = hs_template_render(template, &out, values, pool);
    require(!error && strlen(out.data) == out.length);
    require(hs_utf8_is_valid(out.data, out.length) && !hs_utf8_has_control(out.data, 1));
    return out.data;
}

static void check_html(const char *one, const char *other)
{
    static const char markup[] = "<>\"'";
    int i;

    for (i = 0; markup[i]; i++) {
        require(count(one, markup[i]) == count(other, markup[i]));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static apr_pool_t *root;
    apr_pool_t *pool;
    hs_template *template;
    hs_error *error;
    const char *file;
    const char *one;
    const char *other;

    if (!root) {
        apr_initialize();
        apr_pool_create(&root, NULL);
    }
    if (size == 0) {
        return 0;
    }
    apr_pool_create(&pool, root);
    file = *data == 'h' ? "x.html" : *data == 't' ? "x.txt" : "x.subject";
    error = hs_template_compile(&template, file, (const char *)data + 1, size - 1, &names, pool);
    require(!error == (template != NULL));
    require(!error || strncmp(error->text, file, strlen(file)) == 0);
    if (!error) {
        one = render(template, tame, pool);
        other = render(template, wild, pool);
        if (*data == 'h') {
            check_html(one, other);
        } else if (*data != 't') {
            require(!strpbrk(other, "\t\n") && hs_utf8_length(other) <= HS_TEMPLATE_SUBJECT_MAX);
        }
    }
    apr_pool_destroy(pool);
    return 0;
}
