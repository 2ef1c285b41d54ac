/* hs_store.c - layer 7: tickets in the database: the schema, a ticket's history. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_store.h"

#include "hs_json.h"
#include "hs_store_int.h"

#define HS_SQL_TEXTS
#include "hs_sql.h"

#include <apr_strings.h>

#include <string.h>

typedef struct sql_table {
    const char *driver;
    const char *const *sql;
    const char *const *schema;
    const char *const *const *migrations;
    int is_made_on_first_use;
} sql_table;

static const sql_table sql_tables[] = {
    {"sqlite3", hs_sql_sqlite3, hs_schema_sqlite3, hs_migrations_sqlite3, 1},
    {"pgsql", hs_sql_pgsql, hs_schema_pgsql, hs_migrations_pgsql, 0},
    {"mysql", hs_sql_mysql, hs_schema_mysql, hs_migrations_mysql, 0},
};

static const sql_table *find_table(const char *driver)
{
    for (apr_size_t i = 0; i < sizeof(sql_tables) / sizeof(*sql_tables); i++) {
        if (strcmp(sql_tables[i].driver, driver) == 0) {
            return &sql_tables[i];
        }
    }
    return NULL;
}

/* The version of the schema where there is none, or not the whole of one. */
#define NO_VERSION 0

/* Look what the database holds: a schema of ours of *version, which may be an earlier one. Or
 * HS_CONFIGURATION where we must not touch it. */
static hs_error *look_at_schema(hs_store *store, hs_conn *conn, apr_int64_t *version,
                                apr_pool_t *pool)
{
    hs_rows *rows;
    hs_error *error = hs_conn_ask(conn, &rows, hs_store_sql(store, HS_SQL_SCHEMA_STATE), pool);
    apr_int64_t application;

    if (error) {
        return error;
    }
    if (hs_rows_text(rows, 0, 3)) {
        return hs_error_make(pool, HS_CONFIGURATION, "the database can't be used: %s",
                             hs_rows_text(rows, 0, 3));
    }
    application = hs_rows_number(rows, 0, 0);
    *version = hs_rows_number(rows, 0, 1);
    if (application == HS_SCHEMA_APPLICATION && *version > HS_SCHEMA_VERSION) {
        return hs_error_make(pool, HS_CONFIGURATION,
                             "the database's schema is version %" APR_INT64_T_FMT
                             ", made by a newer mod_helpsupport; this one knows version %d: "
                             "install the newer one",
                             *version, HS_SCHEMA_VERSION);
    }
    /* MariaDB can't undo half a schema, whose version is 0; it is gone on with. */
    if (application == HS_SCHEMA_APPLICATION && *version >= NO_VERSION) {
        return NULL;
    }
    if (application == 0 && *version == NO_VERSION && hs_rows_number(rows, 0, 2) == 0) {
        return NULL;
    }
    return hs_error_make(pool, HS_CONFIGURATION,
                         "the database belongs to another program: HelpSupportDB must name a "
                         "database of its own");
}

/* Whether this program may make or migrate the schema now. */
static hs_error *check_may_change(const hs_store *store, apr_int64_t version, apr_pool_t *pool)
{
    if (version == NO_VERSION && !store->makes_schema) {
        return hs_error_make(pool, HS_CONFIGURATION,
                             "the tables of mod_helpsupport are not all there yet: make them with "
                             "helpsupportctl db init");
    }
    if (version != NO_VERSION && version < HS_SCHEMA_VERSION && !store->migrates_schema) {
        return hs_error_make(pool, HS_CONFIGURATION,
                             "the database's schema is version %" APR_INT64_T_FMT
                             ", this mod_helpsupport needs version %d: run helpsupportctl db init "
                             "(httpd of the former version must be stopped)",
                             version, HS_SCHEMA_VERSION);
    }
    return NULL;
}

/* Where the transaction alone doesn't keep a second process away. MariaDB's 0 is a lock that did
 * not come; PostgreSQL waits until it ends the statement. */
static hs_error *lock_schema(hs_store *store, hs_conn *conn, apr_pool_t *pool)
{
    const char *lock = hs_store_sql(store, HS_SQL_SCHEMA_LOCK);
    hs_rows *rows;
    hs_error *error = lock ? hs_conn_ask(conn, &rows, lock, pool) : NULL;

    if (error && error->code != HS_UNAVAILABLE && error->code != HS_DB_BUSY) {
        return error;
    }
    if (error || (lock && strcmp(hs_rows_text(rows, 0, 0), "0") == 0)) {
        return hs_error_make(pool, HS_UNAVAILABLE,
                             "another process is making or migrating the tables: try again%s%s",
                             error ? "; " : "", error ? error->text : "");
    }
    return NULL;
}

static hs_error *make_schema(hs_store *store, hs_conn *conn, apr_pool_t *pool)
{
    hs_error *error = NULL;

    for (int i = 0; !error && store->schema[i]; i++) {
        error = hs_conn_execute(conn, store->schema[i], pool);
    }
    return error;
}

/* In a transaction of its own, so that nobody sees half a schema; two processes that come at once
 * find out inside it who was first. */
static hs_error *change_schema(hs_store *store, hs_conn *conn, apr_pool_t *pool)
{
    apr_int64_t version = NO_VERSION;
    hs_rows *ignored;
    hs_error *error = lock_schema(store, conn, pool);

    if (!error) {
        error = look_at_schema(store, conn, &version, pool);
    }
    if (!error) {
        error = check_may_change(store, version, pool);
    }
    if (!error) {
        error = version == NO_VERSION ? make_schema(store, conn, pool)
                                      : hs_store_migrate(store, conn, version, pool);
    }
    if (!error && hs_store_sql(store, HS_SQL_SCHEMA_UNLOCK)) {
        error = hs_conn_ask(conn, &ignored, hs_store_sql(store, HS_SQL_SCHEMA_UNLOCK), pool);
    }
    return error;
}

/* What every new connection goes through. */
static hs_error *greet(void *baton, hs_conn *conn, apr_time_t deadline, apr_pool_t *pool)
{
    hs_store *store = baton;
    apr_int64_t version = NO_VERSION;
    hs_error *error = look_at_schema(store, conn, &version, pool);

    if (error || version == HS_SCHEMA_VERSION) {
        return error;
    }
    error = check_may_change(store, version, pool);
    if (!error) {
        error = hs_db_begin(store->db, conn, deadline, pool);
    }
    if (error) {
        return error;
    }
    error = change_schema(store, conn, pool);
    if (error) {
        hs_db_rollback(store->db, conn);
        return error;
    }
    return hs_db_commit(store->db, conn, pool);
}

hs_error *hs_store_check_driver(const char *driver, const char *params, apr_pool_t *pool)
{
    return hs_db_check_driver(driver, params, pool);
}

/* Who writes would wait for the same rows and the same disk anyway, so one group at a time gathers
 * the most. */
static hs_error *make_groups(hs_store *store, int connections, apr_pool_t *pool)
{
    const hs_group_bounds writers = {.leaders = 1, .items = HS_STORE_GROUP_MAX};
    const hs_group_bounds readers = {
        .leaders = connections < HS_STORE_READERS_MAX ? connections : HS_STORE_READERS_MAX,
        .crowd = HS_STORE_CROWD,
        .items = HS_STORE_GROUP_MAX};
    hs_error *error =
        hs_group_create(&store->submissions, writers, hs_store_run_submissions, store, pool);

    if (!error) {
        error = hs_group_create(&store->changes, writers, hs_store_run_changes, store, pool);
    }
    return error ? error
                 : hs_group_create(&store->lookups, readers, hs_store_run_lookups, store, pool);
}

hs_error *hs_store_create(hs_store **out, const hs_db_opts *opts, void (*committed)(void *baton),
                          void *baton, apr_pool_t *pool)
{
    hs_store *store = apr_pcalloc(pool, sizeof(*store));
    hs_error *error = hs_db_create(&store->db, opts, greet, store, pool);
    const sql_table *table;

    if (error) {
        return error;
    }
    table = find_table(opts->driver);
    if (!table) {
        return hs_error_make(pool, HS_CONFIGURATION, "there is no SQL for %s yet", opts->driver);
    }
    store->sql = table->sql;
    store->schema = table->schema;
    store->migrations = table->migrations;
    store->makes_schema = table->is_made_on_first_use;
    store->sample = HS_STORE_SAMPLE;
    store->waiting_min = HS_STORE_WAITING_MIN;
    store->waiting_piece = HS_STORE_WAITING_PIECE;
    store->committed = committed;
    store->baton = baton;
    error = make_groups(store, opts->max, pool);
    *out = store;
    return error;
}

/* Whether every statement fits the schema. */
static hs_error *prepare_all(hs_store *store, hs_conn *conn, void *baton, apr_pool_t *pool)
{
    (void)baton;
    for (int sql = 0; sql < HS_SQL_STATEMENTS; sql++) {
        const char *text = hs_store_sql(store, sql);
        hs_error *error = text ? hs_conn_prepare(conn, text, pool) : NULL;

        if (error) {
            return error;
        }
    }
    return NULL;
}

/* Every new connection then makes or migrates the schema, so connecting is all there is to do. */
hs_error *hs_store_init(hs_store *store, apr_pool_t *pool)
{
    store->makes_schema = 1;
    store->migrates_schema = 1;
    return hs_store_read(store, prepare_all, NULL, pool);
}

hs_error *hs_store_check(hs_store *store, apr_pool_t *pool)
{
    return hs_store_read(store, prepare_all, NULL, pool);
}

/* A row of the history: at, event, and what differs between the two kinds. */
static void read_event(hs_event *event, const hs_rows *rows, int row)
{
    event->at_us = hs_rows_number(rows, row, 0);
    event->event = hs_rows_text(rows, row, 1);
    if (strcmp(event->event, "mail") == 0) {
        event->kind = hs_rows_text(rows, row, 2);
        event->state = hs_rows_text(rows, row, 3);
        event->detail = hs_rows_text(rows, row, 4);
        return;
    }
    event->from = hs_status_name((hs_status)hs_rows_number(rows, row, 2));
    event->to = hs_status_name((hs_status)hs_rows_number(rows, row, 3));
    event->by = hs_rows_text(rows, row, 4);
}

hs_error *hs_store_history(hs_store *store, apr_array_header_t **events, const hs_ticket_ref *ref,
                           apr_pool_t *pool)
{
    hs_ticket *ticket = NULL;
    hs_rows *rows;
    hs_error *error = hs_store_get(store, &ticket, ref, pool);
    const void *values[2];

    if (!ticket) {
        return error;
    }
    values[0] = values[1] = &ticket->number;
    error = hs_store_select(store, &rows, HS_SQL_HISTORY, values, pool);
    if (error) {
        return error;
    }
    *events = apr_array_make(pool, rows->count + 1, sizeof(hs_event));
    APR_ARRAY_PUSH(*events, hs_event) = (hs_event){.at_us = ticket->created_us, .event = "created"};
    for (int row = 0; row < rows->count; row++) {
        hs_event event = {0};

        read_event(&event, rows, row);
        APR_ARRAY_PUSH(*events, hs_event) = event;
    }
    return NULL;
}
