/* hs_dialect_mysql.c - layer 3: MariaDB, as hs_db must know it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_dialect.h"

#include <apr_strings.h>

#include <string.h>

static const hs_dialect_setting settings[] = {
    {"SET NAMES utf8mb4 COLLATE utf8mb4_nopad_bin", NULL, 1},
    {"SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,PIPES_AS_CONCAT,"
     "ERROR_FOR_DIVISION_BY_ZERO'",
     NULL, 1},
    /* The statements are made for this one; the default would lock gaps. */
    {"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", NULL, 1},
    {"SET SESSION autocommit = 1, innodb_lock_wait_timeout = 4, max_statement_time = 5", NULL, 1},
    {NULL, NULL, 0},
};

typedef struct error_class {
    int number;
    hs_code code;
    const char *advice;
} error_class;

static const error_class classes[] = {
    {1062, HS_DB_UNIQUE, NULL},
    {1205, HS_DB_BUSY, NULL}, /* lock wait timeout */
    {1213, HS_DB_BUSY, NULL}, /* deadlock */
    {1020, HS_DB_BUSY, NULL}, /* record has changed since last read */
    {1053, HS_DB_LOST, NULL}, /* server shutdown */
    {1077, HS_DB_LOST, NULL},
    {1152, HS_DB_LOST, NULL},
    {1158, HS_DB_LOST, NULL},
    {1159, HS_DB_LOST, NULL},
    {1160, HS_DB_LOST, NULL},
    {1161, HS_DB_LOST, NULL},
    {1184, HS_DB_LOST, NULL},
    {1290, HS_DB_LOST, NULL}, /* read-only: this was the primary once */
    {1317, HS_DB_LOST, NULL}, /* killed */
    {1836, HS_DB_LOST, NULL},
    {1927, HS_DB_LOST, NULL}, /* killed */
    {1054, HS_DB_SCHEMA, NULL},
    {1146, HS_DB_SCHEMA, NULL}, /* no such column, table */
    {1243, HS_DB_SCHEMA, NULL},
    {1615, HS_DB_SCHEMA, NULL}, /* prepared statements that are gone */
    {1969, HS_UNAVAILABLE, "a statement took longer than max_statement_time"},
    {1040, HS_UNAVAILABLE, "raise max_connections or lower HelpSupportDBPool"},
    {1203, HS_UNAVAILABLE, "raise max_user_connections or lower HelpSupportDBPool"},
    {1044, HS_UNAVAILABLE, "the user must be allowed to use the database: GRANT"},
    {1142, HS_UNAVAILABLE, "the user must be allowed to read and write the tables: GRANT"},
    {1021, HS_UNAVAILABLE, "the server's disk is full: make room"},
    {1114, HS_UNAVAILABLE, "the server's disk is full: make room"},
};

/* apr_dbd's status is the number of the error; 2000 and up are the client's own, after which nobody
 * knows where the connection stands. */
static hs_code classify(void *native, int status, const char **advice)
{
    (void)native;
    *advice = NULL;
    if (status < 1000 || (status >= 2000 && status < 3000)) {
        return HS_DB_LOST;
    }
    for (apr_size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++) {
        if (classes[i].number == status) {
            *advice = classes[i].advice;
            return classes[i].code;
        }
    }
    return HS_DB_OTHER;
}

static int is_astray(void *native)
{
    (void)native;
    return 0;
}

static const char *check_params(const char *params)
{
    if (!params || !strchr(params, '=')) {
        return "the parameters must be those of apr_dbd_mysql: "
               "host=...,user=...,pass=...,dbname=...";
    }
    return NULL;
}

/* Last of the parameters, so that they count. Reconnecting by itself, the client would go on in the
 * middle of a transaction as if nothing had happened, with autocommit. What an UPDATE finds counts,
 * not what it changes. */
static const char *before_connect(const char *params, apr_interval_time_t statement_us,
                                  apr_pool_t *pool)
{
    (void)statement_us;
    return apr_pstrcat(pool, params, ",reconnect=0,flags=CLIENT_FOUND_ROWS", NULL);
}

/* What is in quotes may be a client's. */
static const char *reason(const char *text, apr_pool_t *pool)
{
    static const char *const quoting[] = {"Duplicate entry", "Incorrect", "Truncated", "Data "};

    for (apr_size_t i = 0; i < sizeof(quoting) / sizeof(*quoting); i++) {
        if (strncmp(text, quoting[i], strlen(quoting[i])) == 0) {
            return apr_pstrmemdup(pool, text, strcspn(text, "'"));
        }
    }
    return text;
}

const hs_dialect hs_dialect_mysql = {
    .driver = "mysql",
    .begin = "START TRANSACTION",
    .probe = "SELECT 1",
    .settings = settings,
    .unlimit = "SET SESSION max_statement_time = 0, lock_wait_timeout = 60",
    .is_server = 1,
    .rows_are_numbered = 1,
    .hides_errors = 1,
    .classify = classify,
    .is_astray = is_astray,
    .check_params = check_params,
    .before_connect = before_connect,
    .reason = reason,
    .connect_advice = "look at the host, the port, the user and its password",
};
