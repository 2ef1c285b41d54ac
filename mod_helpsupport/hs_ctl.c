/* hs_ctl.c - layer 9: what the commands of helpsupportctl share; knows no httpd. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_ctl.h"

#include <apr_strings.h>

#include <errno.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DB_TIMEOUT_US apr_time_from_sec(10)

#define PERIOD_MAX_S (APR_INT64_C(100) * 366 * 24 * 60 * 60)

int hs_ctl_fail(int status, const char *format, ...)
{
    va_list args;

    fputs("helpsupportctl: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return status;
}

static int is_refusal(hs_code code)
{
    return code == HS_INVALID || code == HS_NOT_FOUND || code == HS_CONFIGURATION;
}

int hs_ctl_report(const hs_error *error)
{
    if (!error) {
        return HS_CTL_OK;
    }
    return hs_ctl_fail(is_refusal(error->code) ? HS_CTL_FAILED : HS_CTL_UNAVAILABLE, "%s",
                       error->text);
}

static const char *remove_at(apr_array_header_t *args, int index)
{
    const char **words = (const char **)(void *)args->elts;
    const char *word = words[index];

    for (int i = index + 1; i < args->nelts; i++) {
        words[i - 1] = words[i];
    }
    args->nelts--;
    return word;
}

const char *hs_ctl_take_option(hs_ctl *ctl, const char *name)
{
    size_t length = strlen(name);

    for (int i = 0; i < ctl->args->nelts; i++) {
        const char *word = APR_ARRAY_IDX(ctl->args, i, const char *);

        if (strncmp(word, name, length) != 0) {
            continue;
        }
        if (word[length] == '=') {
            return remove_at(ctl->args, i) + length + 1;
        }
        if (word[length] == '\0') {
            remove_at(ctl->args, i);
            return i < ctl->args->nelts ? remove_at(ctl->args, i) : "";
        }
    }
    return NULL;
}

const char *hs_ctl_take_word(hs_ctl *ctl)
{
    for (int i = 0; i < ctl->args->nelts; i++) {
        if (APR_ARRAY_IDX(ctl->args, i, const char *)[0] != '-') {
            return remove_at(ctl->args, i);
        }
    }
    return NULL;
}

int hs_ctl_took_all(const hs_ctl *ctl)
{
    if (ctl->args->nelts == 0) {
        return 1;
    }
    hs_ctl_fail(HS_CTL_USAGE, "unexpected argument \"%s\"; see helpsupportctl --help",
                APR_ARRAY_IDX(ctl->args, 0, const char *));
    return 0;
}

static apr_int64_t unit_seconds(char unit)
{
    switch (unit) {
    case 's':
        return 1;
    case 'm':
        return 60;
    case 'h':
        return APR_INT64_C(60) * 60;
    case 'd':
        return APR_INT64_C(24) * 60 * 60;
    case 'w':
        return APR_INT64_C(7) * 24 * 60 * 60;
    default:
        return 0;
    }
}

int hs_ctl_period(apr_interval_time_t *us, const char *text)
{
    size_t digits = strspn(text, "0123456789");
    apr_int64_t unit = unit_seconds(text[digits]);
    apr_int64_t count;

    /* Ten digits can't overflow; unit 0 also stands for the end of the text. */
    if (digits == 0 || digits > 10 || unit == 0 || text[digits + 1] != '\0') {
        return 0;
    }
    count = apr_atoi64(text);
    if (count > PERIOD_MAX_S / unit) {
        return 0;
    }
    *us = apr_time_from_sec(count * unit);
    return 1;
}

int hs_ctl_read_database(hs_ctl_database *database, const char *text, apr_pool_t *pool)
{
    const char *space = strchr(text, ' ');

    if (!space || space == text || !space[1]) {
        return 0;
    }
    database->driver = apr_pstrmemdup(pool, text, (apr_size_t)(space - text));
    database->params = space + 1;
    return 1;
}

/* The folder that holds `path`, in `pool`. */
static const char *folder_of(const char *path, apr_pool_t *pool)
{
    const char *slash = strrchr(path, '/');

    if (!slash) {
        return ".";
    }
    return slash == path ? "/" : apr_pstrmemdup(pool, path, (apr_size_t)(slash - path));
}

/* A file that root made, the write-ahead log included, is one that httpd's children can't write. */
static int become_owner(const char *path, apr_pool_t *pool)
{
    struct stat info;

    if (geteuid() != 0) {
        return HS_CTL_OK;
    }
    if (stat(path, &info) != 0 && stat(folder_of(path, pool), &info) != 0) {
        return hs_ctl_fail(HS_CTL_UNAVAILABLE, "%s: neither the file nor its folder can be seen",
                           path);
    }
    if (info.st_uid == 0) {
        return HS_CTL_OK;
    }
    /* In this order: without root's rights the groups can't be given up any more. */
    if (setgroups(0, NULL) != 0 || setgid(info.st_gid) != 0 || setuid(info.st_uid) != 0) {
        return hs_ctl_fail(HS_CTL_UNAVAILABLE, "can't become the owner of %s: error %d", path,
                           errno);
    }
    return HS_CTL_OK;
}

int hs_ctl_is_file(const hs_ctl_database *database)
{
    return strcmp(database->driver, "sqlite3") == 0;
}

int hs_ctl_open(hs_store **store, const hs_ctl_database *database, apr_pool_t *pool)
{
    hs_db_opts *opts = apr_pcalloc(pool, sizeof(*opts));
    int status = HS_CTL_OK;

    if (hs_ctl_is_file(database)) {
        umask(S_IRWXG | S_IRWXO); /* what people write to support is nobody else's */
        status = become_owner(database->params, pool);
    }
    if (status != HS_CTL_OK) {
        return status;
    }
    *opts = (hs_db_opts){.driver = database->driver,
                         .params = database->params,
                         .max = 1,
                         .timeout_us = DB_TIMEOUT_US,
                         .prepare = 1};
    return hs_ctl_report(hs_store_create(store, opts, NULL, NULL, pool));
}
