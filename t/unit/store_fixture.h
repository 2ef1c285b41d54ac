/* store_fixture.h - a store on a database of its own, and tickets to put into it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include "hs_store.h"
#include "hs_uuid.h"
#include "tap.h"

#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* HS_TEST_DB="driver params" names a server, as a role that may create databases; without it, each
 * fixture is an SQLite file. */
typedef struct fixture {
    apr_pool_t *pool;
    const char *folder;
    const char *file; /* of SQLite */
    hs_db_opts opts;
    hs_store *store;
    hs_db *beside; /* another pool, as another program has it */
} fixture;

/* Print why something that must work did not. Returns whether it worked. */
static inline int fixture_worked(const hs_error *error)
{
    if (error) {
        printf("# error %d: %s\n", (int)error->code, error->text);
    }
    return !error;
}

static inline const char *fixture_driver(void)
{
    const char *test_db = getenv("HS_TEST_DB");

    if (!test_db) {
        return "sqlite3";
    }
    return strncmp(test_db, "pgsql ", 6) == 0 ? "pgsql" : "mysql";
}

static inline int fixture_is(const char *driver)
{
    return strcmp(fixture_driver(), driver) == 0;
}

static inline void fixture_bail_out(const char *why)
{
    printf("Bail out! %s\n", why);
    fflush(stdout);
    _exit(1);
}

static inline hs_error *fixture_greet(void *baton, hs_conn *conn, apr_time_t deadline,
                                      apr_pool_t *pool)
{
    (void)baton;
    (void)conn;
    (void)deadline;
    (void)pool;
    return NULL;
}

/* Run a statement on a connection of another pool: with `value` for its first value. Returns
 * whether it worked. */
static inline int fixture_run(hs_db *db, const char *sql, const char **value, apr_pool_t *pool)
{
    hs_conn *conn;
    hs_rows *rows = NULL;
    hs_error *error = hs_db_acquire(db, &conn, hs_db_deadline(db), pool);

    if (!fixture_worked(error)) {
        return 0;
    }
    error = value ? hs_conn_ask(conn, &rows, sql, pool) : hs_conn_execute(conn, sql, pool);
    hs_db_release(db, conn);
    if (!fixture_worked(error)) {
        return 0;
    }
    if (value) {
        *value = rows->count > 0 ? hs_rows_text(rows, 0, 0) : "";
        *value = *value ? *value : "NULL";
    }
    return 1;
}

/* What another program does to the database beside us. */
static inline int fixture_does(const fixture *self, const char *sql)
{
    return fixture_run(self->beside, sql, NULL, self->pool);
}

/* The first value of a query of another program's, or "". */
static inline const char *fixture_ask(const fixture *self, const char *sql)
{
    const char *value = "";

    return fixture_run(self->beside, sql, &value, self->pool) ? value : "";
}

/* A statement for the server itself. */
static inline void fixture_tell_server(const char *sql, apr_pool_t *pool)
{
    hs_db_opts opts = {.driver = fixture_driver(),
                       .params = getenv("HS_TEST_DB") + 6,
                       .max = 1,
                       .timeout_us = apr_time_from_sec(10),
                       .prepare = 1};
    hs_db *db;

    if (!fixture_worked(hs_db_create(&db, &opts, fixture_greet, NULL, pool)) ||
        !fixture_run(db, sql, NULL, pool)) {
        fixture_bail_out(sql);
    }
}

static inline const char *fixture_make_database(const fixture *self, apr_pool_t *parent)
{
    const char *name = strrchr(self->folder, '/') + 1;
    char *quoted = apr_psprintf(self->pool, "\"%s\"", name);
    apr_pool_t *pool;

    apr_pool_create(&pool, parent);
    if (fixture_is("mysql")) {
        quoted[0] = quoted[strlen(quoted) - 1] = '`';
    }
    fixture_tell_server(apr_pstrcat(pool, "CREATE DATABASE ", quoted, NULL), pool);
    apr_pool_destroy(pool);
    return apr_pstrcat(self->pool, getenv("HS_TEST_DB") + 6,
                       fixture_is("mysql") ? ",dbname=" : " dbname=", name, NULL);
}

/* A new database without tables. */
static inline void fixture_open_empty(fixture *self, apr_pool_t *parent)
{
    const char *temp;
    char *folder;

    memset(self, 0, sizeof(*self));
    apr_pool_create(&self->pool, parent);
    if (apr_temp_dir_get(&temp, self->pool) != APR_SUCCESS) {
        temp = "/tmp";
    }
    folder = apr_pstrcat(self->pool, temp, "/hs-unit-XXXXXX", NULL);
    if (!mkdtemp(folder)) {
        fixture_bail_out("no temporary folder");
    }
    self->folder = folder;
    self->file = apr_pstrcat(self->pool, folder, "/tickets.db", NULL);
    self->opts = (hs_db_opts){
        .driver = fixture_driver(), .max = 4, .timeout_us = apr_time_from_sec(5), .prepare = 1};
    self->opts.params = fixture_is("sqlite3") ? self->file : fixture_make_database(self, parent);
    if (!fixture_worked(hs_store_create(&self->store, &self->opts, NULL, NULL, self->pool)) ||
        !fixture_worked(
            hs_db_create(&self->beside, &self->opts, fixture_greet, NULL, self->pool))) {
        fixture_bail_out("no database");
    }
}

/* A new database; on a server with its tables, which SQLite makes by itself. */
static inline void fixture_open(fixture *self, apr_pool_t *parent)
{
    fixture_open_empty(self, parent);
    if (!fixture_is("sqlite3") && !fixture_worked(hs_store_init(self->store, self->pool))) {
        fixture_bail_out("no tables");
    }
}

/* The server's databases go with the server. */
static inline void fixture_close(fixture *self)
{
    const char *const suffixes[] = {"", "-wal", "-shm"};
    char *folder = strdup(self->folder);
    char *file = strdup(self->file);

    apr_pool_destroy(self->pool);
    for (size_t i = 0; i < 3; i++) {
        char name[1024];

        snprintf(name, sizeof(name), "%s%s", file, suffixes[i]);
        unlink(name);
    }
    rmdir(folder);
    free(folder);
    free(file);
}

/* A submission of `user_id`; the caller changes what matters to it. */
static inline hs_submit *fixture_submission(const char *user_id, apr_pool_t *pool)
{
    hs_submit *submit = apr_pcalloc(pool, sizeof(*submit));
    hs_ticket *ticket = apr_pcalloc(pool, sizeof(*ticket));
    char *id = apr_palloc(pool, HS_UUID_SIZE);

    hs_uuid_make(id, apr_time_now());
    *ticket =
        (hs_ticket){.id = id,
                    .user_id = user_id,
                    .name = "Jane Doe",
                    .phone_number = "+1234567890",
                    .email = "Jane+help@example.com",
                    .message = "I'm having \"trouble\" connecting\nmy database \\ caf\xc3\xa9.",
                    .version = 1};
    *submit = (hs_submit){.ticket = ticket, .site = "www.example.com", .language = "en"};
    return submit;
}

#endif
