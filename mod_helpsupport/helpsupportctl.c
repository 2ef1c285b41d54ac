/* helpsupportctl.c - layer 11: the administrator's command; on core and adapters, without httpd. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_ctl.h"
#include "hs_ctl_copy.h"
#include "hs_ctl_mail.h"
#include "hs_ctl_token.h"
#include "hs_store_index.h"

#include <apr_env.h>
#include <apr_general.h>
#include <apr_getopt.h>
#include <apr_strings.h>

#include <stdio.h>
#include <string.h>

/* After a migration, say, all tickets wait for the index. */
static hs_error *index_all(const hs_ctl *ctl)
{
    apr_pool_t *pool;
    hs_error *error = NULL;
    int moved = 1;

    apr_pool_create(&pool, ctl->pool);
    while (!error && moved) {
        apr_pool_clear(pool);
        error = hs_store_index(ctl->store, &moved, pool);
    }
    return error;
}

static int db_init(hs_ctl *ctl)
{
    int status;

    if (!hs_ctl_took_all(ctl)) {
        return HS_CTL_USAGE;
    }
    status = hs_ctl_report(hs_store_init(ctl->store, ctl->pool));
    if (status == HS_CTL_OK) {
        status = hs_ctl_report(index_all(ctl));
    }
    if (status == HS_CTL_OK) {
        fputs("The database is ready.\n", stderr);
    }
    return status;
}

static int db_check(hs_ctl *ctl)
{
    int status;

    if (!hs_ctl_took_all(ctl)) {
        return HS_CTL_USAGE;
    }
    status = hs_ctl_report(hs_store_check(ctl->store, ctl->pool));
    if (status == HS_CTL_OK) {
        fputs("The database can be had and its schema fits.\n", stderr);
    }
    return status;
}

static const hs_ctl_command commands[] = {
    {"db", "init", "", db_init},
    {"db", "check", "", db_check},
    {"db", "copy", "--from \"driver params\"", hs_ctl_copy},
    {"token", "create", "NAME [--scope read|write] [--expires PERIOD]", hs_ctl_token_create},
    {"token", "list", "", hs_ctl_token_list},
    {"token", "revoke", "NAME", hs_ctl_token_revoke},
    {"token", "rotate", "NAME --grace PERIOD", hs_ctl_token_rotate},
    {"mail", "list", "[--state queued|sent|failed|suppressed]", hs_ctl_mail_list},
    {"mail", "retry", "ID...", hs_ctl_mail_retry},
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

/* Those with a value come first. */
static const apr_getopt_option_t options[] = {
    {"driver", 'd', 1, "sqlite3, pgsql or mysql"},
    {"params", 'p', 1, "as HelpSupportDB takes them"},
    {"help", 'h', 0, "show this"},
    {"version", 'V', 0, "show the version"},
    {NULL, 0, 0, NULL},
};

static void print_help(void)
{
    puts("usage: helpsupportctl [-d driver -p params] command\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        printf("  %s %s%s%s\n", commands[i].object, commands[i].verb,
               commands[i].synopsis[0] ? " " : "", commands[i].synopsis);
    }
    puts("\nThe database is -d and -p, or HELPSUPPORT_DB=\"driver params\" in the environment.\n"
         "A PERIOD is a number and s, m, h, d or w. See helpsupportctl(8).");
}

/* What the command line says before the command. */
typedef struct globals {
    hs_ctl_database database;
    int is_done; /* --help or --version: there is nothing left to do */
} globals;

static int read_globals(globals *found, apr_getopt_t *options_left)
{
    const char *value;
    apr_status_t status;
    int option;

    while ((status = apr_getopt_long(options_left, options, &option, &value)) == APR_SUCCESS) {
        switch (option) {
        case 'd':
            found->database.driver = value;
            break;
        case 'p':
            found->database.params = value;
            break;
        case 'h':
            print_help();
            found->is_done = 1;
            return HS_CTL_OK;
        default:
            puts("helpsupportctl " HS_VERSION);
            found->is_done = 1;
            return HS_CTL_OK;
        }
    }
    return status == APR_EOF ? HS_CTL_OK : HS_CTL_USAGE;
}

/* Those with a value may also come behind the command. */
static void take_globals(globals *found, hs_ctl *ctl)
{
    for (const apr_getopt_option_t *option = options; option->has_arg; option++) {
        const char **value =
            option->optch == 'd' ? &found->database.driver : &found->database.params;
        const char *brief = apr_psprintf(ctl->pool, "-%c", option->optch);
        const char *given = hs_ctl_take_option(ctl, brief);

        if (!given) {
            given = hs_ctl_take_option(ctl, apr_pstrcat(ctl->pool, "--", option->name, NULL));
        }
        *value = given ? given : *value;
    }
}

/* Whether it is known which database; says on stderr why not. A password in -p shows in the list of
 * processes, in the environment it does not. */
static int find_database(hs_ctl_database *found, apr_pool_t *pool)
{
    char *value;

    if (found->driver && found->params) {
        return 1;
    }
    if (found->driver || found->params) {
        hs_ctl_fail(HS_CTL_USAGE, "-d and -p go together");
        return 0;
    }
    if (apr_env_get(&value, "HELPSUPPORT_DB", pool) != APR_SUCCESS) {
        hs_ctl_fail(HS_CTL_USAGE, "which database? Give -d driver -p params or HELPSUPPORT_DB");
        return 0;
    }
    if (!hs_ctl_read_database(found, value, pool)) {
        hs_ctl_fail(HS_CTL_USAGE, "HELPSUPPORT_DB must be \"driver params\"");
        return 0;
    }
    return 1;
}

static const hs_ctl_command *find_command(const char *object, const char *verb)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].object, object) == 0 && strcmp(commands[i].verb, verb) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static int start(int argc, const char *const *argv, apr_pool_t *pool)
{
    globals found = {0};
    const hs_ctl_command *command;
    apr_getopt_t *left;
    hs_ctl ctl = {.pool = pool, .args = apr_array_make(pool, argc, sizeof(const char *))};
    int status;

    if (apr_getopt_init(&left, pool, argc, argv) != APR_SUCCESS) {
        return HS_CTL_USAGE;
    }
    status = read_globals(&found, left);
    if (status != HS_CTL_OK || found.is_done) {
        return status;
    }
    if (argc - left->ind < 2) {
        return hs_ctl_fail(HS_CTL_USAGE, "a command is needed; see helpsupportctl --help");
    }
    command = find_command(argv[left->ind], argv[left->ind + 1]);
    if (!command) {
        return hs_ctl_fail(HS_CTL_USAGE, "there is no command \"%s %s\"; see helpsupportctl --help",
                           argv[left->ind], argv[left->ind + 1]);
    }
    for (int i = left->ind + 2; i < argc; i++) {
        APR_ARRAY_PUSH(ctl.args, const char *) = argv[i];
    }
    take_globals(&found, &ctl);
    if (!find_database(&found.database, pool)) {
        return HS_CTL_USAGE;
    }
    ctl.database = &found.database;
    status = hs_ctl_open(&ctl.store, &found.database, pool);
    return status == HS_CTL_OK ? command->run(&ctl) : status;
}

int main(int argc, const char *const *argv, const char *const *env)
{
    apr_pool_t *pool;
    int status;

    if (apr_app_initialize(&argc, &argv, &env) != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return HS_CTL_UNAVAILABLE;
    }
    status = start(argc, argv, pool);
    apr_terminate();
    return status;
}
