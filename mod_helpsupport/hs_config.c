/* hs_config.c - layer 11: what the directives set, merged, with defaults. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_config.h"

#include "hs_log.h"

#include <apr_strings.h>
#include <ap_mpm.h>
#include <http_core.h>

#include <string.h>

#define DEFAULT_MAX_BODY_BYTES 131072
#define DEFAULT_POOL_MAX 8
#define DEFAULT_POOL_MAX_PREFORK 1 /* one request at a time in a process */
#define DEFAULT_POOL_TIMEOUT_US apr_time_from_sec(5)
#define DEFAULT_MAIL_CONNECTIONS 4
#define DEFAULT_MAIL_MAX_AGE_US (apr_time_from_sec(3600) * 48)

static const hs_rate default_submit_rate = {600, APR_USEC_PER_SEC * 3600, 100};

/* ---- create and merge ---- */

void *hs_config_create_dir(apr_pool_t *p, char *path)
{
    hs_dir_config *dir = apr_pcalloc(p, sizeof(*dir));

    (void)path;
    dir->enabled = -1;
    return dir;
}

void *hs_config_merge_dir(apr_pool_t *p, void *base, void *add)
{
    const hs_dir_config *outer = base;
    const hs_dir_config *inner = add;
    hs_dir_config *dir = apr_pmemdup(p, outer, sizeof(*outer));

    if (inner->enabled != -1) {
        dir->enabled = inner->enabled;
        dir->base = inner->base;
    }
    if (inner->max_body_bytes) {
        dir->max_body_bytes = inner->max_body_bytes;
    }
    if (inner->origins) {
        dir->origins = inner->origins;
    }
    if (inner->submit_rate.period_us) {
        dir->submit_rate = inner->submit_rate;
    }
    return dir;
}

void *hs_config_create_server(apr_pool_t *p, server_rec *s)
{
    hs_server_config *server = apr_pcalloc(p, sizeof(*server));

    (void)s;
    server->db.prepare = -1;
    server->mail.enabled = -1;
    server->mail.echoes_message = -1;
    server->locations = apr_array_make(p, 1, sizeof(hs_location));
    return server;
}

/* Each pointer that was not set takes the outer server's; the flags likewise. */
static void merge_mail(hs_mail_config *mail, const hs_mail_config *outer)
{
    if (mail->enabled == -1) {
        mail->enabled = outer->enabled;
        mail->enabled_by = outer->enabled_by;
    }
    if (!mail->site_name) {
        mail->site_name = outer->site_name;
        mail->site_url = outer->site_url;
    }
    if (!mail->server_url) {
        mail->server_url = outer->server_url;
        mail->server_by = outer->server_by;
    }
    mail->login_file = mail->login_file ? mail->login_file : outer->login_file;
    mail->from = mail->from ? mail->from : outer->from;
    mail->reply_to = mail->reply_to ? mail->reply_to : outer->reply_to;
    mail->bounce = mail->bounce ? mail->bounce : outer->bounce;
    mail->max_age_us = mail->max_age_us ? mail->max_age_us : outer->max_age_us;
    mail->limits.recipient =
        mail->limits.recipient ? mail->limits.recipient : outer->limits.recipient;
    mail->limits.domain = mail->limits.domain ? mail->limits.domain : outer->limits.domain;
    mail->limits.site = mail->limits.site ? mail->limits.site : outer->limits.site;
    mail->echoes_message =
        mail->echoes_message == -1 ? outer->echoes_message : mail->echoes_message;
    mail->template_folder = mail->template_folder ? mail->template_folder : outer->template_folder;
}

void *hs_config_merge_server(apr_pool_t *p, void *base, void *add)
{
    const hs_server_config *outer = base;
    const hs_server_config *inner = add;
    hs_server_config *server = apr_pmemdup(p, inner, sizeof(*inner));

    if (!inner->db.driver) {
        server->db.driver = outer->db.driver;
        server->db.params = outer->db.params;
    }
    if (!inner->db.max) {
        server->db.max = outer->db.max;
    }
    if (!inner->db.timeout_us) {
        server->db.timeout_us = outer->db.timeout_us;
    }
    if (inner->db.prepare == -1) {
        server->db.prepare = outer->db.prepare;
    }
    merge_mail(&server->mail, &outer->mail);
    /* core gives a virtual host the main server's Locations too */
    server->locations = apr_array_append(p, outer->locations, inner->locations);
    return server;
}

/* ---- what the rest of the skin asks ---- */

const hs_dir_config *hs_config_dir(const request_rec *r)
{
    return ap_get_module_config(r->per_dir_config, &helpsupport_module);
}

hs_server_config *hs_config_server(const server_rec *s)
{
    return ap_get_module_config(s->module_config, &helpsupport_module);
}

apr_off_t hs_config_max_body_bytes(const hs_dir_config *dir)
{
    return dir->max_body_bytes ? dir->max_body_bytes : DEFAULT_MAX_BODY_BYTES;
}

const hs_rate *hs_config_submit_rate(const hs_dir_config *dir)
{
    return dir->submit_rate.period_us ? &dir->submit_rate : &default_submit_rate;
}

int hs_config_mail_connections(const hs_server_config *main_server)
{
    return main_server->mail_connections ? main_server->mail_connections : DEFAULT_MAIL_CONNECTIONS;
}

int hs_config_sends_mail(const hs_server_config *server)
{
    return server->mail.templates != NULL;
}

static int lies_in(const char *uri, const char *base)
{
    size_t length = strlen(base);

    return !strncmp(uri, base, length) && (!uri[length] || uri[length] == '/');
}

const hs_location *hs_config_find_location(const server_rec *s, const char *uri)
{
    const apr_array_header_t *locations = hs_config_server(s)->locations;

    for (int i = 0; uri && i < locations->nelts; i++) {
        const hs_location *location = &APR_ARRAY_IDX(locations, i, hs_location);

        if (lies_in(uri, location->dir->base)) {
            return location;
        }
    }
    return NULL;
}

/* ---- checks that need all directives ---- */

static const char *check_locations(const hs_server_config *server, apr_pool_t *p)
{
    for (int i = 0; i < server->locations->nelts; i++) {
        const hs_location *a = &APR_ARRAY_IDX(server->locations, i, hs_location);

        if (!server->db.driver) {
            return apr_psprintf(p, "%s line %d: HelpSupport On needs a HelpSupportDB in its server",
                                a->directive->filename, a->directive->line_num);
        }
        for (int j = 0; j < server->locations->nelts; j++) {
            const hs_location *b = &APR_ARRAY_IDX(server->locations, j, hs_location);

            if (strcmp(a->dir->base, b->dir->base) != 0 && lies_in(a->dir->base, b->dir->base)) {
                return apr_psprintf(
                    p, "%s line %d: HelpSupport On inside another such Location, %s line %d",
                    a->directive->filename, a->directive->line_num, b->directive->filename,
                    b->directive->line_num);
            }
        }
    }
    return NULL;
}

/* The default limits as a Mail limit directive would have set them. */
static apr_array_header_t *make_rates(apr_pool_t *p, const char *const *texts)
{
    apr_array_header_t *rates = apr_array_make(p, 3, sizeof(hs_rate));

    for (; *texts; texts++) {
        hs_limit_parse(apr_array_push(rates), *texts);
    }
    return rates;
}

static void fill_mail_defaults(hs_mail_config *mail, const server_rec *s, apr_pool_t *p)
{
    static const char *const recipient[] = {"5/5m", "20/h", "50/d", NULL};
    static const char *const site[] = {"10000/h", NULL};

    if (!mail->site_name) {
        mail->site_name = s->server_hostname;
    }
    if (!mail->bounce) {
        mail->bounce = "";
    }
    if (!mail->max_age_us) {
        mail->max_age_us = DEFAULT_MAIL_MAX_AGE_US;
    }
    if (!mail->limits.recipient) {
        mail->limits.recipient = make_rates(p, recipient);
    }
    if (!mail->limits.site) {
        mail->limits.site = make_rates(p, site);
    }
    if (!mail->template_folder) {
        mail->template_folder = HS_SHAREDIR "/templates";
    }
}

static const char *at(const ap_directive_t *directive, const char *text, apr_pool_t *p)
{
    return apr_psprintf(p, "%s line %d: %s", directive->filename, directive->line_num, text);
}

static const char *check_mail(hs_server_config *server, const server_rec *s, apr_pool_t *p)
{
    hs_mail_config *mail = &server->mail;
    hs_confirmation_opts opts;
    hs_error *error;

    if (!mail->enabled || !mail->server_url || !server->locations->nelts) {
        return mail->enabled == 1 && !mail->server_url
                   ? at(mail->enabled_by, "HelpSupportMail On needs a HelpSupportMailServer", p)
                   : NULL;
    }
    if (!mail->from) {
        return at(mail->server_by,
                  "HelpSupportMailServer needs a HelpSupportMailFrom \"Name <address>\"", p);
    }
    fill_mail_defaults(mail, s, p);
    opts = (hs_confirmation_opts){.folder = mail->template_folder,
                                  .site_name = mail->site_name,
                                  .site_url = mail->site_url,
                                  .from = mail->from,
                                  .reply_to = mail->reply_to,
                                  .echo_message = mail->echoes_message == 1};
    error = hs_confirmation_load(&mail->templates, &opts, p);
    return error ? error->text : NULL;
}

/* httpd lets a virtual host without a directive of ours share the main server's record, but what is
 * filled in here differs: its name. */
static void part_servers(server_rec *main_server, apr_pool_t *p)
{
    hs_server_config *shared = hs_config_server(main_server);

    for (server_rec *s = main_server->next; s; s = s->next) {
        if (hs_config_server(s) == shared) {
            ap_set_module_config(s->module_config, &helpsupport_module,
                                 hs_config_merge_server(p, shared, hs_config_create_server(p, s)));
        }
    }
}

const char *hs_config_check(server_rec *main_server, apr_pool_t *p)
{
    int is_threaded = AP_MPMQ_NOT_SUPPORTED;

    part_servers(main_server, p);
    ap_mpm_query(AP_MPMQ_IS_THREADED, &is_threaded);
    for (server_rec *s = main_server; s; s = s->next) {
        hs_server_config *server = hs_config_server(s);
        const char *wrong = check_locations(server, p);

        if (!wrong) {
            wrong = check_mail(server, s, p);
        }
        if (wrong) {
            return wrong;
        }
        if (!server->db.max) {
            server->db.max = is_threaded ? DEFAULT_POOL_MAX : DEFAULT_POOL_MAX_PREFORK;
        }
        if (!server->db.timeout_us) {
            server->db.timeout_us = DEFAULT_POOL_TIMEOUT_US;
        }
        server->db.prepare = server->db.prepare != 0;
    }
    return NULL;
}
