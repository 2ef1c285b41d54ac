/* hs_dialect_sqlite3.c - layer 3: SQLite, as hs_db must know it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_dialect.h"

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_strings.h>

#include <sqlite3.h>

#include <string.h>

#define CANT_OPEN "the file's folder must exist, and httpd's user must be able to write both"

static const hs_dialect_setting all_settings[] = {
    /* Readers never wait for the writer, and kill -9 loses nothing. */
    {"PRAGMA journal_mode = WAL", "wal", 0},
    /* 201 promises that the ticket survives a power failure. */
    {"PRAGMA synchronous = FULL", NULL, 0},
    {"PRAGMA synchronous", "2", 0},
    /* A page that many transactions change, as the ends of the indexes are, is then copied into
     * the database once per checkpoint instead of four times. */
    {"PRAGMA wal_autocheckpoint = 4000", "4000", 0},
    {"PRAGMA journal_size_limit = 67108864", "67108864", 0},
    {"PRAGMA cache_size = -8000", NULL, 0},
    {"PRAGMA temp_store = MEMORY", NULL, 0},
    /* Never busy_timeout: it sleeps inside apr_dbd's own mutex, so that the thread that holds the
     * lock can't reach its COMMIT (23 times slower, stalls of 20 s). */
    {NULL, NULL, 0},
};

static const hs_dialect_setting *settings(apr_interval_time_t statement_us, apr_pool_t *pool)
{
    (void)statement_us;
    (void)pool;
    return all_settings;
}

/* apr_dbd_sqlite3 meets a lock with fifteen tries, 100 ms apart, whatever anybody's deadline. */
static int execute(void *native, const char *sql)
{
    return sqlite3_exec(native, sql, NULL, NULL, NULL);
}

static hs_code classify_constraint(int code)
{
    switch (code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
        return HS_DB_UNIQUE;
    default:
        return HS_DB_OTHER;
    }
}

/* apr_dbd's status is 1 for nearly everything, because it prepares with the old sqlite3_prepare(),
 * so only the connection itself knows. */
static hs_code classify(void *native, int status, const char **advice)
{
    int code = sqlite3_extended_errcode(native);

    *advice = NULL;
    if (code == SQLITE_READONLY_DBMOVED) {
        return HS_DB_LOST;
    }
    switch (status == SQLITE_BUSY ? SQLITE_BUSY : code & 0xff) {
    case SQLITE_CONSTRAINT:
        return classify_constraint(code);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        *advice = "another program keeps the file locked: fuser names it";
        return HS_DB_BUSY;
    /* "not an error": what a statement says that had failed with SQLITE_SCHEMA before. */
    case SQLITE_OK:
    case SQLITE_SCHEMA:
        return HS_DB_SCHEMA;
    case SQLITE_FULL:
        *advice = "the disk or a quota is full: make room";
        return HS_UNAVAILABLE;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        *advice = "httpd's user must be able to write the file and the folder it is in: chown them";
        return HS_UNAVAILABLE;
    case SQLITE_CANTOPEN:
        *advice = CANT_OPEN;
        return HS_UNAVAILABLE;
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
        *advice = "look at the system's log for trouble of the disk or a lack of memory";
        return HS_UNAVAILABLE;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        *advice = "the file is damaged or no SQLite database: restore it from a backup";
        return HS_UNAVAILABLE;
    default:
        return HS_DB_OTHER;
    }
}

/* Somebody moved or deleted the file: what is written to the open one would be lost. */
static int is_astray(void *native)
{
    int has_moved = 0;

    return sqlite3_file_control(native, "main", SQLITE_FCNTL_HAS_MOVED, &has_moved) == SQLITE_OK &&
           has_moved;
}

static const char *check_params(const char *params)
{
    if (!params || !*params) {
        return "the parameters must be the name of the database file";
    }
    if (strstr(params, ":memory:") || strstr(params, "mode=memory")) {
        return "a database in memory would be another one for each connection: name a file";
    }
    return NULL;
}

/* SQLite would make the file readable for everybody. An empty file is an empty database, and the
 * files beside it get its mode, 0600. It is made under another name and linked into place: when a
 * process closes any descriptor of a file, it loses all its POSIX locks on it, also those of a
 * connection that another thread has opened meanwhile. A failure shows when SQLite opens it. */
static void make_private_file(const char *params, apr_pool_t *pool)
{
    char *name = apr_pstrcat(pool, params, ".XXXXXX", NULL);
    apr_finfo_t info;
    apr_file_t *file;

    if (strncmp(params, "file:", 5) == 0 ||
        apr_stat(&info, params, APR_FINFO_TYPE, pool) == APR_SUCCESS ||
        apr_file_mktemp(&file, name, APR_FOPEN_CREATE | APR_FOPEN_WRITE | APR_FOPEN_EXCL, pool) !=
            APR_SUCCESS) {
        return;
    }
    apr_file_close(file);
    (void)apr_file_link(name, params);
    apr_file_remove(name, pool);
}

static const char *before_connect(const char *params, apr_interval_time_t statement_us,
                                  apr_pool_t *pool)
{
    (void)statement_us;
    make_private_file(params, pool);
    return params;
}

static const char *connect_advice(const char *text)
{
    (void)text;
    return CANT_OPEN;
}

const hs_dialect hs_dialect_sqlite3 = {
    .driver = "sqlite3",
    /* IMMEDIATE: a reader that becomes a writer half-way can fail for good. */
    .begin = "BEGIN IMMEDIATE",
    .probe = "SELECT count(*) FROM sqlite_master",
    .settings = settings,
    .has_one_writer = 1,
    .copies_rows = 1,
    .execute = execute,
    .classify = classify,
    .is_astray = is_astray,
    .check_params = check_params,
    .before_connect = before_connect,
    .connect_advice = connect_advice,
};
