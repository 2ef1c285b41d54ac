/* hs_ctl_copy.c - layer 10: helpsupportctl's command that copies a database. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_ctl_copy.h"

#include "hs_store_copy.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* On a terminal, where each line overwrites the one before; so does an error. */
static void show_progress(void *baton, const char *what, apr_int64_t done, apr_int64_t total)
{
    (void)baton;
    if (isatty(STDERR_FILENO)) {
        fprintf(stderr, "%" APR_INT64_T_FMT " of %" APR_INT64_T_FMT " %s%c", done, total, what,
                done == total ? '\n' : '\r');
    }
}

/* Two names of one server are not seen here; its tables are then not empty, or locked. */
static int is_same(const hs_ctl_database *one, const hs_ctl_database *other)
{
    struct stat first;
    struct stat second;

    if (strcmp(one->driver, other->driver) != 0) {
        return 0;
    }
    if (strcmp(one->params, other->params) == 0) {
        return 1;
    }
    return hs_ctl_is_file(one) && stat(one->params, &first) == 0 &&
           stat(other->params, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

/* SQLite would make a file that is not there. */
static int check_source(const hs_ctl *ctl, const hs_ctl_database *source)
{
    struct stat info;

    if (is_same(ctl->database, source)) {
        return hs_ctl_fail(HS_CTL_USAGE, "source and target are the same database");
    }
    if (hs_ctl_is_file(source) && strncmp(source->params, "file:", 5) != 0 &&
        stat(source->params, &info) != 0) {
        return hs_ctl_fail(HS_CTL_UNAVAILABLE,
                           "the source, %s: there is no such file, or it can't be seen",
                           source->params);
    }
    return HS_CTL_OK;
}

static int copy(hs_ctl *ctl, const hs_ctl_database *source)
{
    const char *summary;
    hs_store *from;
    int status = check_source(ctl, source);

    if (status == HS_CTL_OK) {
        status = hs_ctl_open(&from, source, ctl->pool);
    }
    if (status == HS_CTL_OK) {
        status = hs_ctl_report(
            hs_store_copy(from, ctl->store, &summary, show_progress, NULL, ctl->pool));
    }
    if (status == HS_CTL_OK) {
        printf("Copied: %s.\n", summary);
    }
    return status;
}

int hs_ctl_copy(hs_ctl *ctl)
{
    const char *from = hs_ctl_take_option(ctl, "--from");
    hs_ctl_database source;

    if (!hs_ctl_took_all(ctl)) {
        return HS_CTL_USAGE;
    }
    if (!from || !hs_ctl_read_database(&source, from, ctl->pool)) {
        return hs_ctl_fail(HS_CTL_USAGE, "copied from where? Give --from \"driver params\"");
    }
    return copy(ctl, &source);
}
