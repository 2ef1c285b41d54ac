/* hs_dialect_pgsql.c - layer 3: PostgreSQL, as hs_db must know it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_dialect.h"

#include <apr_strings.h>

#include <libpq-fe.h>

#include <dlfcn.h>
#include <string.h>

/* Two functions of the libpq that APR's driver has loaded: without PQsetErrorVerbosity no error
 * tells its SQLSTATE. The module isn't linked with libpq, which would bring Kerberos and LDAP into
 * every httpd that only wants SQLite. */
#define LIBPQ "libpq.so.5"

static const char *const defaults[][2] = {
    /* Seconds, for each host: without it a black hole takes two minutes. */
    {"connect_timeout", "3"},
    /* Milliseconds: how long sent data may stay without an answer of the other host's kernel. */
    {"tcp_user_timeout", "5000"},
    {"keepalives_idle", "30"},
    {"keepalives_interval", "5"},
    {"keepalives_count", "3"},
    {"application_name", "mod_helpsupport"},
    {"client_encoding", "UTF8"},
};

/* An ordinary role may set these at connect. Not lc_messages: that refuses it the connection. A
 * pooler refuses them all. The statements are made for READ COMMITTED, whatever is the default of
 * this database or role: BEGIN says so, too, but a statement that is alone has none. */
#define OPTIONS                                                                                    \
    "options='-c statement_timeout=%d -c idle_in_transaction_session_timeout=10000 "               \
    "-c default_transaction_isolation=read\\\\ committed'"
#define OPTIONS_IN_URI                                                                             \
    "options=-c%%20statement_timeout%%3D%d%%20-c%%20idle_in_transaction_session_timeout%%3D10000"  \
    "%%20-c%%20default_transaction_isolation%%3Dread%%5C%%20committed"

static void *find_symbol(const char *name)
{
    void *library = dlopen(LIBPQ, RTLD_LAZY | RTLD_NOLOAD);
    void *symbol = library ? dlsym(library, name) : NULL;

    if (library) {
        dlclose(library); /* the driver keeps it */
    }
    return symbol;
}

/* POSIX lets dlsym's result be a function; ISO C has no conversion for it. */
static int is_connected(PGconn *native)
{
    __typeof__(&PQstatus) status;
    void *symbol = find_symbol("PQstatus");

    memcpy(&status, &symbol, sizeof(status));
    return !symbol || status(native) == CONNECTION_OK;
}

static const char *message_of(PGconn *native)
{
    __typeof__(&PQerrorMessage) message;
    void *symbol = find_symbol("PQerrorMessage");

    memcpy(&message, &symbol, sizeof(message));
    return symbol ? message(native) : "";
}

/* The severity before the state may be in any language; two spaces after its colon are not. NULL
 * where there is none: an error of libpq itself. */
static const char *find_state(const char *text)
{
    const char *colon = strstr(text, ":  ");

    if (!colon || strspn(colon + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 5 ||
        colon[8] != ':') {
        return NULL;
    }
    return colon + 3;
}

typedef struct state_class {
    const char *prefix; /* of the SQLSTATE; the first that fits counts */
    hs_code code;
    const char *advice;
} state_class;

static const state_class classes[] = {
    {"23505", HS_DB_UNIQUE, NULL},
    {"40", HS_DB_BUSY, NULL},    /* deadlock, serialisation */
    {"55P03", HS_DB_BUSY, NULL}, /* lock not available */
    {"57014", HS_UNAVAILABLE, "a statement took longer than statement_timeout"},
    {"57", HS_DB_LOST, NULL},    /* the server goes down or comes up */
    {"08", HS_DB_LOST, NULL},    /* connection */
    {"25P03", HS_DB_LOST, NULL}, /* idle in a transaction for too long */
    {"25006", HS_DB_GONE, NULL}, /* read-only: this was the primary once */
    {"26000", HS_DB_SCHEMA, NULL},
    {"42P05", HS_DB_SCHEMA, NULL}, /* a prepared statement is there already, or no longer */
    {"0A000", HS_DB_SCHEMA, NULL}, /* "cached plan must not change result type" */
    {"42P01", HS_DB_SCHEMA, NULL},
    {"42703", HS_DB_SCHEMA, NULL}, /* no such table, no such column */
    {"42501", HS_UNAVAILABLE, "the role must be allowed to read and write the tables: GRANT"},
    {"53300", HS_UNAVAILABLE, "raise max_connections or lower HelpSupportDBPool"},
    {"53100", HS_UNAVAILABLE, "the server's disk is full: make room"},
    {"53", HS_UNAVAILABLE, "the server lacks memory or another resource"},
    {"58", HS_UNAVAILABLE, "look at the server's own log"},
    {"XX", HS_UNAVAILABLE, "look at the server's own log"},
};

/* Also what we say after hs_conn_cut_overdue, which libpq can't tell from the server's doing. */
#define LOST_ADVICE                                                                                \
    "lost, or no answer in time: look at the server's log, and at the standby that COMMIT awaits"

/* apr_dbd's status is 7 for every error. One without a state is libpq's own: it could not send or
 * read, though PQstatus may call the connection good until it is used again. */
static hs_code classify(void *native, int status, const char **advice)
{
    const char *state = find_state(message_of(native));

    (void)status;
    *advice = NULL;
    if (!state || !is_connected(native)) {
        *advice = LOST_ADVICE;
        return HS_DB_LOST;
    }
    for (apr_size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++) {
        if (strncmp(state, classes[i].prefix, strlen(classes[i].prefix)) == 0) {
            *advice = classes[i].advice;
            return classes[i].code;
        }
    }
    return HS_DB_OTHER;
}

/* A server's name may lead elsewhere tomorrow, but that ends the connection. */
static int is_astray(void *native)
{
    (void)native;
    return 0;
}

static int is_uri(const char *params)
{
    return strncmp(params, "postgresql://", 13) == 0 || strncmp(params, "postgres://", 11) == 0;
}

static const char *check_params(const char *params)
{
    if (!params || !*params) {
        return "the parameters must say where the server is, as libpq takes it: host=... "
               "dbname=...";
    }
    if (!is_uri(params) && !strchr(params, '=')) {
        return "the parameters must be libpq's: host=... dbname=... user=..., or postgresql://...";
    }
    return NULL;
}

/* Whether `params` sets `name`: a word before an equals sign. */
static int has_param(const char *params, const char *name)
{
    size_t length = strlen(name);

    for (const char *at = strstr(params, name); at; at = strstr(at + 1, name)) {
        int begins = at == params || strchr(" \t\n?&", at[-1]) != NULL;

        if (begins && at[length + strspn(at + length, " ")] == '=') {
            return 1;
        }
    }
    return 0;
}

static const char *add_param(const char *params, const char *param, apr_pool_t *pool)
{
    const char *separator = !is_uri(params) ? " " : strchr(params, '?') ? "&" : "?";

    return apr_pstrcat(pool, params, separator, param, NULL);
}

static const char *before_connect(const char *params, apr_interval_time_t statement_us,
                                  apr_pool_t *pool)
{
    const char *all = params;
    int statement_ms = (int)(statement_us / 1000);

    for (apr_size_t i = 0; i < sizeof(defaults) / sizeof(*defaults); i++) {
        if (!has_param(params, defaults[i][0])) {
            all =
                add_param(all, apr_pstrcat(pool, defaults[i][0], "=", defaults[i][1], NULL), pool);
        }
    }
    if (statement_ms == 0 || has_param(params, "options")) {
        return all;
    }
    return add_param(
        all, apr_psprintf(pool, is_uri(params) ? OPTIONS_IN_URI : OPTIONS, statement_ms), pool);
}

static void after_connect(void *native)
{
    __typeof__(&PQsetErrorVerbosity) set_verbosity;
    void *symbol = find_symbol("PQsetErrorVerbosity");

    memcpy(&set_verbosity, &symbol, sizeof(set_verbosity));
    if (symbol) {
        set_verbosity(native, PQERRORS_VERBOSE);
    }
}

static int socket_of(void *native)
{
    __typeof__(&PQsocket) get_socket;
    void *symbol = find_symbol("PQsocket");

    memcpy(&get_socket, &symbol, sizeof(get_socket));
    return symbol ? get_socket(native) : -1;
}

/* The first line: the others quote values. So do the first lines of the classes 22 (data) and 23
 * (constraints). */
static const char *reason(const char *text, apr_pool_t *pool)
{
    const char *state = find_state(text);
    char *line;

    if (state && (strncmp(state, "22", 2) == 0 || strncmp(state, "23", 2) == 0)) {
        return apr_pstrmemdup(pool, state, 5);
    }
    if (state) {
        return apr_pstrmemdup(pool, state, strcspn(state, "\n"));
    }
    line = apr_pstrdup(pool, text);
    for (char *c = line; *c; c++) {
        if (*c == '\n' || *c == '\t') {
            *c = ' ';
        }
    }
    return line;
}

static const char *connect_advice(const char *text)
{
    (void)text;
    return "look at the host, the port, the role and its password, and pg_hba.conf";
}

const hs_dialect hs_dialect_pgsql = {
    .driver = "pgsql",
    /* Whatever the database's default is: the statements are made for this one. */
    .begin = "BEGIN ISOLATION LEVEL READ COMMITTED",
    .probe = "SELECT 1",
    /* The server finds out within a minute that our machine vanished, and undoes the transaction.
     */
    .unlimit =
        "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; "
        "SET LOCAL lock_timeout = '60s'; SET LOCAL tcp_keepalives_idle = 30; "
        "SET LOCAL tcp_keepalives_interval = 5; SET LOCAL tcp_keepalives_count = 3",
    .is_server = 1,
    .rows_are_numbered = 1,
    .copies_rows = 1, /* the pool clears the result, and nobody asks for a row behind the last */
    .classify = classify,
    .is_astray = is_astray,
    .check_params = check_params,
    .before_connect = before_connect,
    .after_connect = after_connect,
    .socket = socket_of,
    .reason = reason,
    .connect_advice = connect_advice,
};
