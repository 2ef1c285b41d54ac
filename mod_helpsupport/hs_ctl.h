/* hs_ctl.h - layer 9: what the commands of helpsupportctl share; knows no httpd. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_CTL_H
#define HS_CTL_H

#include "hs_error.h"
#include "hs_store.h"

#include <apr_tables.h>
#include <apr_time.h>

/* Exit statuses; the manual page documents them. */
enum {
    HS_CTL_OK = 0,
    HS_CTL_FAILED = 1,     /* refused: no such token, a name in use, a schema of another version */
    HS_CTL_USAGE = 2,      /* the command line is wrong; nothing was done */
    HS_CTL_UNAVAILABLE = 3 /* the database can't be had, or how it went is unknown */
};

/* Which database: what HelpSupportDB takes. */
typedef struct hs_ctl_database {
    const char *driver;
    const char *params;
} hs_ctl_database;

/* What a command gets. `args` (of const char *) is what follows its two words; the functions below
 * take their part out of it. */
typedef struct hs_ctl {
    hs_store *store;
    const hs_ctl_database *database; /* the store's */
    apr_array_header_t *args;
    apr_pool_t *pool;
} hs_ctl;

/* One command: `helpsupportctl object verb …`. `run` returns an exit status. */
typedef struct hs_ctl_command {
    const char *object;
    const char *verb;
    const char *synopsis; /* of its arguments, for --help */
    int (*run)(hs_ctl *ctl);
} hs_ctl_command;

/* Say on stderr what went wrong. Returns `status`, so that a command can end with it. */
int hs_ctl_fail(int status, const char *format, ...) HS_PRINTF(2, 3);

/* Say on stderr what the store reports. Returns the exit status that fits; HS_CTL_OK for NULL. */
int hs_ctl_report(const hs_error *error);

/* Take `--name value` or `--name=value` out of the arguments. Returns the value, "" where it is
 * missing, or NULL where the option is absent. */
const char *hs_ctl_take_option(hs_ctl *ctl, const char *name);

/* Take the next argument that is no option. Returns NULL where there is none. */
const char *hs_ctl_take_word(hs_ctl *ctl);

/* Whether every argument was taken; says on stderr which was not. */
int hs_ctl_took_all(const hs_ctl *ctl);

/* Read a period like "90d" (units s m h d w, up to a century). Returns 1 with *us, or 0. */
int hs_ctl_period(apr_interval_time_t *us, const char *text);

/* Read "driver params". Returns 1, or 0. `text` must outlive the database. */
int hs_ctl_read_database(hs_ctl_database *database, const char *text, apr_pool_t *pool);

/* Whether it is an SQLite file, whose name its parameters are. */
int hs_ctl_is_file(const hs_ctl_database *database);

/* Prepare to use a database; where it is a file, root becomes its owner first. Says on stderr what
 * went wrong. Returns an exit status. `pool` closes the connections when it goes. */
int hs_ctl_open(hs_store **store, const hs_ctl_database *database, apr_pool_t *pool);

#endif
