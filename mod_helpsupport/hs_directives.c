/* hs_directives.c - layer 13: the directives (contract 5): their table, and setters of all but the
 * mail's. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_directives.h"

#include "hs_config.h"
#include "hs_cors.h"
#include "hs_directives_mail.h"

#include <apr_strings.h>
#include <http_core.h>

#include <string.h>

/* Where HelpSupport On may stand (contract 4): whoever can write it makes a handler that trusts
 * this place's access rules, so it must be a place that only the server's administrator writes, and
 * one that is compared literally. */
static const char *check_place(cmd_parms *cmd)
{
    const ap_directive_t *section = cmd->directive->parent;
    const char *wrong = ap_check_cmd_context(
        cmd, NOT_IN_DIRECTORY | NOT_IN_FILES | NOT_IN_HTACCESS | NOT_IN_LIMIT | NOT_IN_PROXY);

    if (wrong) {
        return wrong;
    }
    if (!section || ap_cstr_casecmp(section->directive, "<Location") || section->args[0] == '~' ||
        !cmd->path || cmd->path[0] != '/' || strpbrk(cmd->path, "?*[]")) {
        return "HelpSupport On is allowed in <Location \"/literal/path\"> only";
    }
    if (cmd->path[1] && cmd->path[strlen(cmd->path) - 1] == '/') {
        return "HelpSupport On: the path of its <Location> must not end in a slash";
    }
    return NULL;
}

static const char *set_enabled(cmd_parms *cmd, void *config, int on)
{
    hs_dir_config *dir = config;
    const char *wrong = on ? check_place(cmd) : NULL;
    hs_location *location;

    if (wrong) {
        return wrong;
    }
    dir->enabled = on;
    if (!on) {
        return NULL;
    }
    dir->base = cmd->path[1] ? cmd->path : "";
    location = apr_array_push(hs_config_server(cmd->server)->locations);
    location->dir = dir;
    location->directive = cmd->directive;
    return NULL;
}

static const char *set_db(cmd_parms *cmd, void *config, const char *driver, const char *params)
{
    hs_db_opts *db = &hs_config_server(cmd->server)->db;
    hs_error *error = hs_store_check_driver(driver, params, cmd->pool);

    (void)config;
    if (error) {
        return apr_pstrcat(cmd->pool, "HelpSupportDB: ", error->text, NULL);
    }
    db->driver = driver;
    db->params = params;
    return NULL;
}

static const char *set_db_pool(cmd_parms *cmd, void *config, const char *max, const char *timeout)
{
    hs_db_opts *db = &hs_config_server(cmd->server)->db;
    char *end;
    apr_int64_t n = apr_strtoi64(max, &end, 10);

    (void)config;
    if (*end || n < 1 || n > 1000) {
        return "HelpSupportDBPool: the number of connections must be 1 to 1000";
    }
    db->max = (int)n;
    if (timeout &&
        (ap_timeout_parameter_parse(timeout, &db->timeout_us, "s") != APR_SUCCESS ||
         db->timeout_us < apr_time_from_msec(10) || db->timeout_us > apr_time_from_sec(300))) {
        return "HelpSupportDBPool: the time-out must be 10ms to 300s";
    }
    return NULL;
}

static const char *set_db_prepare(cmd_parms *cmd, void *config, int on)
{
    (void)config;
    hs_config_server(cmd->server)->db.prepare = on;
    return NULL;
}

static const char *set_max_body(cmd_parms *cmd, void *config, const char *bytes)
{
    hs_dir_config *dir = config;
    char *end;

    (void)cmd;
    if (apr_strtoff(&dir->max_body_bytes, bytes, &end, 10) != APR_SUCCESS || *end ||
        dir->max_body_bytes < 1 || dir->max_body_bytes > 64 * 1024 * 1024) {
        return "HelpSupportMaxBody must be a number of bytes, 1 to 67108864";
    }
    return NULL;
}

static const char *add_origin(cmd_parms *cmd, void *config, const char *origin)
{
    hs_dir_config *dir = config;
    const char *wrong = hs_cors_check_origin(origin);

    if (wrong) {
        return apr_psprintf(cmd->pool, "HelpSupportAllowOrigin: '%s' %s", origin, wrong);
    }
    if (!dir->origins) {
        dir->origins = apr_array_make(cmd->pool, 2, sizeof(const char *));
    }
    APR_ARRAY_PUSH(dir->origins, const char *) = origin;
    return NULL;
}

static const char *set_submit_limit(cmd_parms *cmd, void *config, const char *rate,
                                    const char *burst)
{
    hs_dir_config *dir = config;
    char *end;

    (void)cmd;
    if (!ap_cstr_casecmp(rate, "off") && !burst) {
        dir->submit_rate = (hs_rate){0, 1, 0};
        return NULL;
    }
    if (!hs_limit_parse(&dir->submit_rate, rate)) {
        return "HelpSupportSubmitLimit must be requests/period, such as 600/h or 10/5m, or off";
    }
    if (burst) {
        dir->submit_rate.burst = apr_strtoi64(burst, &end, 10);
        if (*end || dir->submit_rate.burst < 1 || dir->submit_rate.burst > 1000000) {
            return "HelpSupportSubmitLimit: the burst must be 1 to 1000000";
        }
    }
    return NULL;
}

const command_rec hs_directives[] = {
    AP_INIT_FLAG("HelpSupport", set_enabled, NULL, ACCESS_CONF,
                 "On: this Location is the ticket API"),
    AP_INIT_TAKE2("HelpSupportDB", set_db, NULL, RSRC_CONF,
                  "the database: driver (sqlite3, pgsql, mysql) and its parameters"),
    AP_INIT_TAKE12("HelpSupportDBPool", set_db_pool, NULL, RSRC_CONF,
                   "connections per process, and how long a request may wait for one"),
    AP_INIT_FLAG("HelpSupportDBPrepare", set_db_prepare, NULL, RSRC_CONF,
                 "PostgreSQL: Off behind a pooler in transaction mode"),
    AP_INIT_TAKE1("HelpSupportMaxBody", set_max_body, NULL, ACCESS_CONF,
                  "largest request body in bytes"),
    AP_INIT_ITERATE("HelpSupportAllowOrigin", add_origin, NULL, ACCESS_CONF,
                    "origins whose pages may call; * for submission only"),
    AP_INIT_TAKE12("HelpSupportSubmitLimit", set_submit_limit, NULL, ACCESS_CONF,
                   "submissions per client: requests/period [burst], or off"),
    AP_INIT_TAKE12("HelpSupportSite", hs_mail_set_site, NULL, RSRC_CONF,
                   "what mails call this place, and its URL"),
    AP_INIT_FLAG("HelpSupportMail", hs_mail_set_enabled, NULL, RSRC_CONF,
                 "whether submissions are confirmed by mail"),
    AP_INIT_TAKE1("HelpSupportMailServer", hs_mail_set_server, NULL, RSRC_CONF,
                  "the relay: smtp://host[:port] or smtps://host[:port]"),
    AP_INIT_TAKE1("HelpSupportMailLogin", hs_mail_set_login, NULL, RSRC_CONF,
                  "a file with user:password for the relay"),
    AP_INIT_TAKE1("HelpSupportMailFrom", hs_mail_set_from, NULL, RSRC_CONF,
                  "the From of mails: \"Name <address>\""),
    AP_INIT_TAKE1("HelpSupportMailReplyTo", hs_mail_set_reply_to, NULL, RSRC_CONF,
                  "the Reply-To of mails"),
    AP_INIT_TAKE1("HelpSupportMailBounce", hs_mail_set_bounce, NULL, RSRC_CONF,
                  "the envelope sender of mails, <> for none"),
    AP_INIT_TAKE1("HelpSupportMailConnections", hs_mail_set_connections, NULL, RSRC_CONF,
                  "connections to relays from this node"),
    AP_INIT_TAKE1("HelpSupportMailMaxAge", hs_mail_set_max_age, NULL, RSRC_CONF,
                  "how long a mail is tried before it has failed"),
    AP_INIT_TAKE_ARGV("HelpSupportMailLimit", hs_mail_set_limit, NULL, RSRC_CONF,
                      "recipient, domain or site, and n/period limits or off"),
    AP_INIT_TAKE1("HelpSupportMailEcho", hs_mail_set_echo, NULL, RSRC_CONF,
                  "whether mails repeat the message: none or message"),
    AP_INIT_TAKE1("HelpSupportTemplates", hs_mail_set_templates, NULL, RSRC_CONF,
                  "the folder of the mail templates"),
    {.name = NULL}};
