/* hs_directives_mail.c - layer 12: the setters of the mail's directives. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_directives_mail.h"

#include "hs_config.h"
#include "hs_email.h"
#include "hs_template.h"
#include "hs_utf8.h"

#include <apr_file_info.h>
#include <apr_strings.h>
#include <http_core.h>

#include <string.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64

static hs_mail_config *mail_of(const cmd_parms *cmd)
{
    return &hs_config_server(cmd->server)->mail;
}

const char *hs_mail_set_enabled(cmd_parms *cmd, void *config, int on)
{
    (void)config;
    mail_of(cmd)->enabled = on;
    mail_of(cmd)->enabled_by = cmd->directive;
    return NULL;
}

const char *hs_mail_set_site(cmd_parms *cmd, void *config, const char *name, const char *url)
{
    (void)config;
    if (!*name || !hs_utf8_is_valid(name, strlen(name)) || hs_utf8_has_control(name, 0)) {
        return "HelpSupportSite: the name must be UTF-8 without control characters";
    }
    if (url && !hs_template_is_url(url)) {
        return "HelpSupportSite: the url must be an http or https URL";
    }
    mail_of(cmd)->site_name = name;
    mail_of(cmd)->site_url = url;
    return NULL;
}

const char *hs_mail_set_server(cmd_parms *cmd, void *config, const char *url)
{
    hs_error *error = hs_smtp_check_url(url, cmd->pool);

    (void)config;
    if (error) {
        return apr_pstrcat(cmd->pool, "HelpSupportMailServer: ", error->text, NULL);
    }
    mail_of(cmd)->server_url = url;
    mail_of(cmd)->server_by = cmd->directive;
    return NULL;
}

/* httpd's children must not read it, so only its look is checked here; the mail process reads it.
 */
const char *hs_mail_set_login(cmd_parms *cmd, void *config, const char *file)
{
    const char *path = ap_server_root_relative(cmd->pool, file);
    const apr_fileperms_t others = APR_FPROT_GREAD | APR_FPROT_GWRITE | APR_FPROT_GEXECUTE |
                                   APR_FPROT_WREAD | APR_FPROT_WWRITE | APR_FPROT_WEXECUTE;
    apr_finfo_t info;

    (void)config;
    if (!path || apr_stat(&info, path, APR_FINFO_TYPE | APR_FINFO_PROT | APR_FINFO_USER,
                          cmd->temp_pool) != APR_SUCCESS) {
        return apr_psprintf(cmd->pool, "HelpSupportMailLogin: %s can't be looked at", file);
    }
    if (info.filetype != APR_REG || (info.protection & others) || info.user != geteuid()) {
        return apr_psprintf(cmd->pool,
                            "HelpSupportMailLogin: %s must be a file that belongs to the user who "
                            "starts httpd and has mode 0600",
                            path);
    }
    mail_of(cmd)->login_file = path;
    return NULL;
}

static const char *read_mailbox(const cmd_parms *cmd, const hs_mailbox **mailbox, const char *text)
{
    hs_mailbox *made = apr_palloc(cmd->pool, sizeof(*made));
    hs_error *error = hs_mailbox_read(made, text, cmd->pool);

    *mailbox = made;
    return error ? apr_pstrcat(cmd->pool, cmd->cmd->name, ": ", error->text, NULL) : NULL;
}

const char *hs_mail_set_from(cmd_parms *cmd, void *config, const char *mailbox)
{
    (void)config;
    return read_mailbox(cmd, &mail_of(cmd)->from, mailbox);
}

const char *hs_mail_set_reply_to(cmd_parms *cmd, void *config, const char *mailbox)
{
    (void)config;
    return read_mailbox(cmd, &mail_of(cmd)->reply_to, mailbox);
}

const char *hs_mail_set_bounce(cmd_parms *cmd, void *config, const char *address)
{
    const char *bounce =
        ap_cstr_casecmp(address, "<>") ? hs_email_normalize(address, cmd->pool) : "";

    (void)config;
    mail_of(cmd)->bounce = bounce;
    return bounce ? NULL : "HelpSupportMailBounce must be one e-mail address or <>";
}

const char *hs_mail_set_connections(cmd_parms *cmd, void *config, const char *count)
{
    const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    char *end;
    apr_int64_t n = apr_strtoi64(count, &end, 10);

    (void)config;
    if (wrong) {
        return wrong;
    }
    if (*end || n < 1 || n > CONNECTIONS_MAX) {
        return "HelpSupportMailConnections must be 1 to 64";
    }
    hs_config_server(cmd->server)->mail_connections = (int)n;
    return NULL;
}

/* httpd's own form of times says "min" for minutes and has no days; the periods of our limits say m
 * and d, so both are taken here. */
static int read_time(apr_interval_time_t *us, const char *text)
{
    size_t digits = strspn(text, "0123456789");
    int is_minutes = !strcmp(text + digits, "m");

    if (digits == 0 || digits > 9 || (!is_minutes && strcmp(text + digits, "d") != 0)) {
        return ap_timeout_parameter_parse(text, us, "s") == APR_SUCCESS;
    }
    *us = apr_time_from_sec(apr_atoi64(text) * (is_minutes ? 60 : 24 * 60 * 60));
    return 1;
}

const char *hs_mail_set_max_age(cmd_parms *cmd, void *config, const char *time)
{
    hs_mail_config *mail = mail_of(cmd);

    (void)config;
    if (!read_time(&mail->max_age_us, time) || mail->max_age_us < apr_time_from_sec(60)) {
        return "HelpSupportMailMaxAge must be a time of a minute or more, such as 48h";
    }
    return NULL;
}

const char *hs_mail_set_limit(cmd_parms *cmd, void *config, int argc, char *const argv[])
{
    hs_mail_limits *limits = &mail_of(cmd)->limits;
    apr_array_header_t *rates = apr_array_make(cmd->pool, 3, sizeof(hs_rate));
    int is_off = argc == 2 && !ap_cstr_casecmp(argv[1], "off");

    (void)config;
    if (argc < 2) {
        return "HelpSupportMailLimit needs recipient, domain or site, and its limits or off";
    }
    for (int i = 1; i < argc && !is_off; i++) {
        if (!hs_limit_parse(apr_array_push(rates), argv[i])) {
            return apr_psprintf(
                cmd->pool, "HelpSupportMailLimit: '%s' must be n/period, such as 20/h", argv[i]);
        }
    }
    if (!ap_cstr_casecmp(argv[0], "recipient")) {
        limits->recipient = rates;
    } else if (!ap_cstr_casecmp(argv[0], "domain")) {
        limits->domain = rates;
    } else if (!ap_cstr_casecmp(argv[0], "site")) {
        limits->site = rates;
    } else {
        return "HelpSupportMailLimit is for recipient, domain or site";
    }
    return NULL;
}

const char *hs_mail_set_echo(cmd_parms *cmd, void *config, const char *what)
{
    (void)config;
    if (ap_cstr_casecmp(what, "none") && ap_cstr_casecmp(what, "message")) {
        return "HelpSupportMailEcho must be none or message";
    }
    mail_of(cmd)->echoes_message = !ap_cstr_casecmp(what, "message");
    return NULL;
}

const char *hs_mail_set_templates(cmd_parms *cmd, void *config, const char *folder)
{
    (void)config;
    mail_of(cmd)->template_folder = ap_server_root_relative(cmd->pool, folder);
    return mail_of(cmd)->template_folder ? NULL : "HelpSupportTemplates: not a path";
}
