/* hs_dialect_mysql.c - layer 3: MariaDB, as hs_db must know it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_dialect.h"

#include "hs_mysql_connect.h"

#include <apr_strings.h>

#include <string.h>

/* Seconds, for each step of connecting; less where statements may take less. */
#define CONNECT_S 3

/* Nothing may depend on what the server's administrator made the default: all that changes what a
 * statement means or may do is set here. The times are those of hs_dialect_pgsql.c; a lock is
 * waited for as long as anything else.
 * lc_messages: reason() knows what to leave out in English.
 * time_zone: unix_timestamp(sysdate()) goes back with the clocks in autumn elsewhere.
 * wait_timeout: its default, since some set it to seconds. */
#define SESSION                                                                                    \
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,PIPES_AS_CONCAT,"            \
    "ERROR_FOR_DIVISION_BY_ZERO', autocommit = 1, completion_type = 'NO_CHAIN', "                  \
    "lc_messages = 'en_US', time_zone = '+00:00', sql_auto_is_null = 0, sql_safe_updates = 0, "    \
    "sql_big_selects = 1, sql_select_limit = 18446744073709551615, unique_checks = 1, "            \
    "check_constraint_checks = 1, group_concat_max_len = 1048576, "                                \
    "wait_timeout = 28800, idle_transaction_timeout = 10, "                                        \
    "max_statement_time = %d, lock_wait_timeout = %d, innodb_lock_wait_timeout = %d"

/* The statements are made for READ COMMITTED; the default would lock gaps. But where the binary log
 * holds statements, InnoDB refuses all writing at that level (1665), and only an administrator may
 * change the log's format. */
#define ISOLATION                                                                                  \
    "EXECUTE IMMEDIATE concat('SET SESSION TRANSACTION READ WRITE, ISOLATION LEVEL ', "            \
    "CASE WHEN @@log_bin AND @@binlog_format = 'STATEMENT' THEN 'REPEATABLE READ' "                \
    "ELSE 'READ COMMITTED' END)"

static int seconds(apr_interval_time_t us)
{
    return (int)((us + APR_USEC_PER_SEC - 1) / APR_USEC_PER_SEC);
}

static const hs_dialect_setting *settings(apr_interval_time_t statement_us, apr_pool_t *pool)
{
    int limit_s = seconds(statement_us);
    hs_dialect_setting *all = apr_pcalloc(pool, 4 * sizeof(*all));

    all[0].sql = "SET NAMES utf8mb4 COLLATE utf8mb4_nopad_bin";
    all[1].sql = apr_psprintf(pool, SESSION, limit_s, limit_s, limit_s);
    all[2].sql = ISOLATION;
    for (int i = 0; i < 3; i++) {
        all[i].has_no_rows = 1;
    }
    return all;
}

typedef struct error_class {
    int number;
    hs_code code;
    const char *advice;
} error_class;

#define READ_ONLY "the server is read-only: HelpSupportDB must lead to the primary"
#define MISSING "a table or a column is missing: restore it from a backup"
#define DISK_FULL "the server's disk is full: make room"
#define OWN_LOG "look at the server's own log"
#define TOO_OLD "the server must be MariaDB 10.6 or later"

static const error_class classes[] = {
    {1062, HS_DB_UNIQUE, NULL},
    {1205, HS_DB_BUSY, NULL}, /* lock wait timeout */
    {1213, HS_DB_BUSY, NULL}, /* deadlock */
    {1020, HS_DB_BUSY, NULL}, /* record has changed since last read */
    {1047, HS_DB_LOST, NULL}, /* a node of a Galera cluster that is not synced */
    {1053, HS_DB_LOST, NULL}, /* server shutdown */
    {1077, HS_DB_LOST, NULL},
    {1152, HS_DB_LOST, NULL},
    {1158, HS_DB_LOST, NULL},
    {1159, HS_DB_LOST, NULL},
    {1160, HS_DB_LOST, NULL},
    {1161, HS_DB_LOST, NULL},
    {1184, HS_DB_LOST, NULL},
    {1317, HS_DB_LOST, NULL}, /* killed */
    {1927, HS_DB_LOST, NULL}, /* killed */
    /* This was the primary once: another connection may lead to the new one. */
    {1036, HS_DB_GONE, READ_ONLY},
    {1290, HS_DB_GONE, READ_ONLY},
    {1792, HS_DB_GONE, READ_ONLY},
    {1836, HS_DB_GONE, READ_ONLY},
    {1046, HS_DB_SCHEMA, NULL}, /* no database: it was dropped */
    {1049, HS_DB_SCHEMA, NULL},
    {1054, HS_DB_SCHEMA, MISSING},
    {1146, HS_DB_SCHEMA, MISSING},
    {1243, HS_DB_SCHEMA, NULL},
    {1615, HS_DB_SCHEMA, NULL}, /* prepared statements that are gone */
    {1969, HS_UNAVAILABLE, "a statement took longer than max_statement_time"},
    {1040, HS_UNAVAILABLE, "raise max_connections or lower HelpSupportDBPool"},
    {1203, HS_UNAVAILABLE, "raise max_user_connections or lower HelpSupportDBPool"},
    {1461, HS_UNAVAILABLE, "raise max_prepared_stmt_count or lower HelpSupportDBPool"},
    {1153, HS_UNAVAILABLE, "raise max_allowed_packet to 1M or more"},
    {1044, HS_UNAVAILABLE, "the user must be allowed to use the database: GRANT"},
    {1142, HS_UNAVAILABLE, "the user must be allowed to read and write the tables: GRANT"},
    {1021, HS_UNAVAILABLE, DISK_FULL},
    {1114, HS_UNAVAILABLE, DISK_FULL},
    {1026, HS_UNAVAILABLE, OWN_LOG},
    {1030, HS_UNAVAILABLE, OWN_LOG}, /* of the storage engine: "no space left" comes as this */
    {1193, HS_UNAVAILABLE, TOO_OLD},
    {1273, HS_UNAVAILABLE, TOO_OLD}, /* no such variable, collation: of the session set-up */
};

/* apr_dbd's status is the number of the error; 2000 and up are the client's own, after which nobody
 * knows where the connection stands. The lowest come from the server's system calls. */
static hs_code classify(void *native, int status, const char **advice)
{
    (void)native;
    *advice = NULL;
    if (status <= 0 || (status >= 2000 && status < 3000)) {
        return HS_DB_LOST;
    }
    if (status < 1000) {
        *advice = OWN_LOG;
        return HS_UNAVAILABLE;
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
    int limit_s = seconds(statement_us);
    int connect_s = limit_s > 0 && limit_s < CONNECT_S ? limit_s : CONNECT_S;

    params = apr_pstrcat(pool, params, ",reconnect=0,flags=CLIENT_FOUND_ROWS", NULL);
    return hs_mysql_connect_params(params, connect_s, pool);
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

/* Of an attempt to connect there is no number; the server speaks English then, unless it was
 * started with other lc_messages. */
static const char *connect_advice(const char *text)
{
    static const char *const known[][2] = {
        {"Too many connections", "raise max_connections or lower HelpSupportDBPool"},
        {"max_user_connections", "raise max_user_connections or lower HelpSupportDBPool"},
        {"Unknown database", "create it, and its tables with helpsupportctl db init"},
        {"Access denied", "look at the user, its password and what it is GRANTed"},
    };

    for (apr_size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (strstr(text, known[i][0])) {
            return known[i][1];
        }
    }
    return "look at the host, the port, the user and its password";
}

const hs_dialect hs_dialect_mysql = {
    .driver = "mysql",
    .begin = "START TRANSACTION",
    .probe = "SELECT 1",
    .settings = settings,
    .unlimit = "SET SESSION max_statement_time = 0, idle_transaction_timeout = 0, "
               "lock_wait_timeout = 60, innodb_lock_wait_timeout = 60",
    .is_server = 1,
    .rows_are_numbered = 1,
    .hides_errors = 1,
    .classify = classify,
    .is_astray = is_astray,
    .check_params = check_params,
    .before_connect = before_connect,
    .socket = hs_mysql_connect_socket,
    .reason = reason,
    .connect_advice = connect_advice,
};
