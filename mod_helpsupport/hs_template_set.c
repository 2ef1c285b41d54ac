/* hs_template_set.c - layer 4: the templates of one kind of mail in a folder, in all languages. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_template_set.h"

#include "hs_language.h"

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>

#define PARTS 3
#define ERROR_SIZE 200
#define TYPICAL_PART_OCTETS 8192

static const char *const endings[PARTS] = {".subject", ".txt", ".html"};

typedef struct language {
    const char *tag;
    hs_template *parts[PARTS]; /* as in endings */
} language;

struct hs_template_set {
    apr_array_header_t *languages; /* of language; the default first */
    apr_array_header_t *tags;      /* of const char *, in the same order */
};

/* What is being loaded, from where. */
typedef struct loader {
    const hs_template_place *place;
    const hs_template_names *names;
    hs_template_set *set;
    apr_pool_t *pool;
} loader;

static hs_error *fail(const char *path, const char *what, apr_pool_t *pool)
{
    return hs_error_make(pool, HS_CONFIGURATION, "%s:1:1: %s", path, what);
}

static hs_error *fail_apr(const char *path, const char *what, apr_status_t status, apr_pool_t *pool)
{
    char reason[ERROR_SIZE];

    apr_strerror(status, reason, sizeof(reason));
    return fail(path, apr_pstrcat(pool, what, ": ", reason, NULL), pool);
}

/* If `file` is a file of the set, put its part's index into *part and return its language tag as it
 * is written in the name ("" if it has none), else NULL. */
static const char *parse_name(const hs_template_place *place, const char *file, int *part,
                              apr_pool_t *pool)
{
    apr_size_t stem = strlen(place->stem);
    const char *ending = strrchr(file, '.');
    const char *tag = file + stem;

    if (!ending || strncmp(file, place->stem, stem) != 0 || *tag != '.') {
        return NULL;
    }
    for (*part = 0; *part < PARTS && strcmp(ending, endings[*part]) != 0; (*part)++) {
    }
    if (*part == PARTS) {
        return NULL;
    }
    return ending > tag ? apr_pstrmemdup(pool, tag + 1, (apr_size_t)(ending - tag) - 1) : "";
}

static int compare_names(const void *one, const void *other)
{
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

/* The names of the set's files, sorted: a folder has no order of its own. */
static apr_status_t list_files(apr_array_header_t **files, const hs_template_place *place,
                               apr_pool_t *pool)
{
    apr_dir_t *dir;
    apr_finfo_t entry;
    apr_status_t status = apr_dir_open(&dir, place->folder, pool);
    int part;

    *files = apr_array_make(pool, 16, sizeof(const char *));
    if (status != APR_SUCCESS) {
        return status;
    }
    while (apr_dir_read(&entry, APR_FINFO_NAME, dir) == APR_SUCCESS) {
        if (parse_name(place, entry.name, &part, pool)) {
            APR_ARRAY_PUSH(*files, const char *) = apr_pstrdup(pool, entry.name);
        }
    }
    apr_dir_close(dir);
    qsort((*files)->elts, (size_t)(*files)->nelts, sizeof(const char *), compare_names);
    return APR_SUCCESS;
}

static apr_uint64_t add_to_hash(apr_uint64_t hash, const void *octets, apr_size_t length)
{
    const unsigned char *at = octets;

    while (length-- > 0) {
        hash = (hash ^ *at++) * APR_UINT64_C(1099511628211); /* FNV-1a */
    }
    return hash;
}

apr_uint64_t hs_template_set_signature(const hs_template_place *place, apr_pool_t *pool)
{
    apr_uint64_t hash = APR_UINT64_C(14695981039346656037);
    apr_array_header_t *files;
    apr_finfo_t info;
    int i;

    if (list_files(&files, place, pool) != APR_SUCCESS) {
        return 0;
    }
    for (i = 0; i < files->nelts; i++) {
        const char *file = APR_ARRAY_IDX(files, i, const char *);
        const char *path = apr_pstrcat(pool, place->folder, "/", file, NULL);

        memset(&info, 0, sizeof(info));
        if (apr_stat(&info, path, APR_FINFO_MTIME | APR_FINFO_IDENT | APR_FINFO_SIZE, pool)) {
            continue;
        }
        hash = add_to_hash(hash, file, strlen(file) + 1);
        hash = add_to_hash(hash, &info.mtime, sizeof(info.mtime));
        hash = add_to_hash(hash, &info.inode, sizeof(info.inode));
        hash = add_to_hash(hash, &info.size, sizeof(info.size));
    }
    return hash ? hash : 1;
}

/* Read at most one octet more than a template may have, so that compiling it says what is wrong.
 * Only regular files: opening a pipe would wait for ever. */
static hs_error *read_file(const char *path, char **text, apr_size_t *length, apr_pool_t *pool)
{
    apr_finfo_t info;
    apr_file_t *file;
    apr_status_t status = apr_stat(&info, path, APR_FINFO_TYPE, pool);

    if (status != APR_SUCCESS) {
        return fail_apr(path, "can't be read", status, pool);
    }
    if (info.filetype != APR_REG) {
        return fail(path, "is not a file", pool);
    }
    status = apr_file_open(&file, path, APR_FOPEN_READ | APR_FOPEN_BINARY, 0, pool);
    if (status == APR_SUCCESS) {
        *text = apr_palloc(pool, HS_TEMPLATE_MAX_OCTETS + 1);
        status = apr_file_read_full(file, *text, HS_TEMPLATE_MAX_OCTETS + 1, length);
        apr_file_close(file);
    }
    if (status != APR_SUCCESS && !APR_STATUS_IS_EOF(status)) {
        return fail_apr(path, "can't be read", status, pool);
    }
    return NULL;
}

static language *find_language(const hs_template_set *set, const char *tag)
{
    int i;

    for (i = 0; i < set->languages->nelts; i++) {
        language *found = &APR_ARRAY_IDX(set->languages, i, language);

        if (strcmp(found->tag, tag) == 0) {
            return found;
        }
    }
    return NULL;
}

/* The language of `tag`, added to the set if it is new. */
static language *have_language(hs_template_set *set, const char *tag)
{
    language *added = find_language(set, tag);

    if (added) {
        return added;
    }
    added = apr_array_push(set->languages);
    memset(added, 0, sizeof(*added));
    added->tag = tag;
    APR_ARRAY_PUSH(set->tags, const char *) = tag;
    return added;
}

static char *to_lower(const char *text, apr_pool_t *pool)
{
    char *copy = apr_pstrdup(pool, text);
    char *at;

    for (at = copy; *at; at++) {
        if (*at >= 'A' && *at <= 'Z') {
            *at = (char)(*at + ('a' - 'A'));
        }
    }
    return copy;
}

static hs_error *check_tag(const hs_template_place *place, const char *path, const char *tag,
                           apr_pool_t *pool)
{
    if (*tag && !hs_language_is_tag(tag, strlen(tag))) {
        return fail(path, "between the dots there must be a language tag such as \"de\"", pool);
    }
    if (strcmp(tag, place->language) == 0) {
        return fail(path, apr_psprintf(pool, "the files without a tag are those for \"%s\"", tag),
                    pool);
    }
    return NULL;
}

static hs_error *load_file(const loader *l, const char *file)
{
    const char *path = apr_pstrcat(l->pool, l->place->folder, "/", file, NULL);
    int part = 0;
    const char *tag = to_lower(parse_name(l->place, file, &part, l->pool), l->pool);
    hs_error *error = check_tag(l->place, path, tag, l->pool);
    hs_template **made;
    char *text = NULL;
    apr_size_t length = 0;
    apr_pool_t *scratch;

    if (error) {
        return error;
    }
    made = &have_language(l->set, *tag ? tag : l->place->language)->parts[part];
    if (*made) {
        return fail(path, "there is another file for the same language", l->pool);
    }
    apr_pool_create(&scratch, l->pool);
    error = read_file(path, &text, &length, scratch);
    if (error) {
        error = hs_error_make(l->pool, error->code, "%s", error->text);
    } else {
        error = hs_template_compile(made, path, text, length, l->names, l->pool);
    }
    apr_pool_destroy(scratch);
    return error;
}

static hs_error *check_complete(const loader *l)
{
    int i;
    int part;

    for (i = 0; i < l->set->languages->nelts; i++) {
        const language *of = &APR_ARRAY_IDX(l->set->languages, i, language);
        const char *dot_tag = i == 0 ? "" : apr_pstrcat(l->pool, ".", of->tag, NULL);

        for (part = 0; part < PARTS; part++) {
            if (!of->parts[part]) {
                return fail(apr_pstrcat(l->pool, l->place->folder, "/", l->place->stem, dot_tag,
                                        endings[part], NULL),
                            "is missing: each language needs .subject, .txt and .html", l->pool);
            }
        }
    }
    return NULL;
}

hs_error *hs_template_set_load(hs_template_set **made, const hs_template_place *place,
                               const hs_template_names *names, apr_pool_t *pool)
{
    hs_template_set *set = apr_pcalloc(pool, sizeof(*set));
    loader l = {place, names, set, pool};
    hs_error *error = NULL;
    apr_array_header_t *files;
    apr_status_t status = list_files(&files, place, pool);
    int i;

    *made = NULL;
    if (status != APR_SUCCESS) {
        return fail_apr(place->folder, "the folder of templates can't be read", status, pool);
    }
    set->languages = apr_array_make(pool, 4, sizeof(language));
    set->tags = apr_array_make(pool, 4, sizeof(const char *));
    have_language(set, place->language);
    for (i = 0; i < files->nelts && !error; i++) {
        error = load_file(&l, APR_ARRAY_IDX(files, i, const char *));
    }
    if (!error) {
        error = check_complete(&l);
    }
    if (!error) {
        *made = set;
    }
    return error;
}

const apr_array_header_t *hs_template_set_languages(const hs_template_set *set)
{
    return set->tags;
}

hs_error *hs_template_set_render(const hs_template_set *set, const char *tag,
                                 const char *const *values, hs_template_parts *parts,
                                 apr_pool_t *pool)
{
    const language *of = find_language(set, tag);
    hs_buffer rendered[PARTS];
    hs_error *error = NULL;
    int i;

    if (!of) {
        of = &APR_ARRAY_IDX(set->languages, 0, language);
    }
    for (i = 0; i < PARTS && !error; i++) {
        hs_buffer_init(&rendered[i], TYPICAL_PART_OCTETS, pool);
        error = hs_template_render(of->parts[i], &rendered[i], values, pool);
    }
    if (error) {
        return error;
    }
    parts->subject = rendered[0].data;
    parts->text = rendered[1].data;
    parts->html = rendered[2].data;
    return NULL;
}
