/* hs_mysql_connect.c - layer 2: what MariaDB's client library can do and apr_dbd can't ask it for.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_mysql_connect.h"

#include <apr_cstr.h>
#include <apr_strings.h>

#include <dlfcn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* apr_dbd_mysql 1.6 makes the handle and connects in one call that has no parameter for a time-out,
 * so a server that is stopped would hold its thread for ever; nor can a watching thread cut what it
 * has no handle of yet. But the library has a door: where the host begins with "name://" it lets
 * the connection plugin of that name connect, and a program may register one. Ours sets the
 * time-out, which comes in front of the real host as "seconds/", and goes on as the library does.
 *
 * The library is the one that apr_dbd's driver has loaded: nothing here is linked with it, which
 * would bring it into every httpd that only wants SQLite. */
#define LIBRARY "libmariadb.so.3"
#define PLUGIN "helpsupport"

/* Of Connector/C 3's <mysql/client_plugin.h>, which Debian's package has without the files that it
 * includes; and of <mysql.h>, whose functions and numbers have not changed since MySQL 4.1. */
typedef struct st_mysql mysql;
typedef mysql *real_connect(mysql *handle, const char *host, const char *user, const char *password,
                            const char *database, unsigned port, const char *unix_socket,
                            unsigned long flags);
typedef int set_option(mysql *handle, int option, const void *value);
typedef mysql *make_handle(mysql *handle);
typedef void close_handle(mysql *handle);

typedef int get_socket(mysql *handle);

#define OPT_CONNECT_TIMEOUT 0

#define CONNECTION_PLUGIN 103
#define CONNECTION_PLUGIN_INTERFACE_VERSION 0x0100

typedef struct connection_plugin {
    int type;
    unsigned interface_version;
    const char *name;
    const char *author;
    const char *description;
    unsigned version[3];
    const char *license;
    void *unused;
    int (*init)(char *error, size_t size, int count, va_list arguments);
    int (*deinit)(void);
    int (*options)(const char *option, const void *value);
    real_connect *connect;
    void (*close)(mysql *handle);
    int (*set_options)(mysql *handle, unsigned option, ...);
    int (*set_connection)(mysql *handle, int command, const char *argument, size_t length,
                          char has_no_answer, void *option);
    char (*reconnect)(mysql *handle);
    int (*reset)(mysql *handle);
} connection_plugin;

typedef connection_plugin *register_function(mysql *handle, connection_plugin *plugin);

/* POSIX lets dlsym's result be a function; ISO C has no conversion for it. */
static int find_function(void *function, const char *name)
{
    void *library = dlopen(LIBRARY, RTLD_LAZY | RTLD_NOLOAD);
    void *symbol = library ? dlsym(library, name) : NULL;

    if (library) {
        dlclose(library); /* the driver keeps it */
    }
    memcpy(function, &symbol, sizeof(symbol));
    return symbol != NULL;
}

/* The plugin's; `host` is what comes after "://". The library decides how many parameters it has.
 * NOLINTNEXTLINE(readability-function-size) */
static mysql *connect_in_time(mysql *handle, const char *host, const char *user,
                              const char *password, const char *database, unsigned port,
                              const char *unix_socket, unsigned long flags)
{
    set_option *set;
    real_connect *go_on;
    char *end;
    unsigned seconds = (unsigned)strtoul(host, &end, 10);

    host = end + 1;
    if (!find_function(&set, "mysql_options") || !find_function(&go_on, "mysql_real_connect")) {
        return NULL;
    }
    (void)set(handle, OPT_CONNECT_TIMEOUT, &seconds);
    return go_on(handle, *host ? host : NULL, user, password, database, port, unix_socket, flags);
}

/* Asked before each command; the library calls it without looking whether there is one. */
static int stay_connected(mysql *handle, int command, const char *argument, size_t length,
                          char has_no_answer, void *option)
{
    (void)handle;
    (void)command;
    (void)argument;
    (void)length;
    (void)has_no_answer;
    (void)option;
    return 0;
}

static connection_plugin plugin = {
    .type = CONNECTION_PLUGIN,
    .interface_version = CONNECTION_PLUGIN_INTERFACE_VERSION,
    .name = PLUGIN,
    .author = "mod_helpsupport",
    .description = "connects with a time-out",
    .version = {1, 0, 0},
    .license = "Apache-2.0",
    .connect = connect_in_time,
    .set_connection = stay_connected,
};

/* Once in a process, and never in one that unloads this module again (httpd's parent connects to no
 * server): the library forgets no plugin. A second time is an error that changes nothing; it goes
 * into the handle that is made for it. */
static int register_plugin(void)
{
    make_handle *make;
    close_handle *end;
    register_function *add;
    mysql *scratch;

    if (!find_function(&make, "mysql_init") || !find_function(&end, "mysql_close") ||
        !find_function(&add, "mysql_client_register_plugin")) {
        return 0;
    }
    scratch = make(NULL);
    if (!scratch) {
        return 0;
    }
    (void)add(scratch, &plugin);
    end(scratch);
    return 1;
}

/* The value of `name` as the driver finds it: the last one counts, and no value is looked into. */
static const char *find_param(const char *params, const char *name, apr_pool_t *pool)
{
    size_t length = strlen(name);
    const char *found = "";
    const char *end;

    for (const char *at = strchr(params, '='); at; at = strchr(end, '=')) {
        const char *value = at + 1 + strspn(at + 1, " \t\r\n");

        end = value + strcspn(value, " \r\n\t;|,");
        while (at > params && strchr(" \t\r\n", at[-1])) {
            at--;
        }
        if ((size_t)(at - params) >= length && apr_cstr_casecmpn(at - length, name, length) == 0) {
            found = apr_pstrmemdup(pool, value, (apr_size_t)(end - value));
        }
    }
    return found;
}

const char *hs_mysql_connect_params(const char *params, int seconds, apr_pool_t *pool)
{
    if (!register_plugin()) {
        return params;
    }
    return apr_psprintf(pool, "%s,host=" PLUGIN "://%d/%s", params, seconds,
                        find_param(params, "host", pool));
}

int hs_mysql_connect_socket(void *native)
{
    get_socket *ask;

    return find_function(&ask, "mysql_get_socket") ? ask(native) : -1;
}
