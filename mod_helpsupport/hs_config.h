/* hs_config.h - layer 11: what the directives set, merged, with defaults. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_CONFIG_H
#define HS_CONFIG_H

#include "hs_courier.h"
#include "hs_db.h"
#include "hs_limit.h"
#include "hs_store.h"
#include "hs_token_cache.h"

#include <httpd.h>
#include <http_config.h>

/* One database as one child uses it; servers with the same HelpSupportDB, Pool and Prepare share
 * it. */
typedef struct hs_database {
    hs_store *store;
    hs_token_cache *tokens;
} hs_database;

/* What is one per node and lives from one (re)start to the next; children inherit it. */
typedef struct hs_node {
    apr_global_mutex_t *write_turn; /* SQLite's writers of all children take turns on it */
    const char *write_turn_file;    /* NULL where its mechanism needs no file */
    hs_limit *submissions;
    apr_file_t *wake;         /* a byte written here wakes the mail sender; NULL where none runs */
    struct hs_sender *sender; /* hs_sender.c's, of httpd's parent */
} hs_node;

/* Of a Location. */
typedef struct hs_dir_config {
    int enabled;                 /* HelpSupport; -1: not set */
    const char *base;            /* the path of the Location that said On; "" for "/" */
    apr_off_t max_body_bytes;    /* 0: not set */
    apr_array_header_t *origins; /* of const char *; NULL: not set */
    hs_rate submit_rate;         /* period_us 0: not set */
} hs_dir_config;

/* A Location that has HelpSupport On, so that errors from before any Location is known can be told
 * to be ours. */
typedef struct hs_location {
    const hs_dir_config *dir; /* as set in its section, not merged with its parents */
    const ap_directive_t *directive;
} hs_location;

/* What becomes of a server's confirmation mails. */
typedef struct hs_mail_config {
    int enabled; /* HelpSupportMail; -1: not set, which is on if there is a server_url */
    const ap_directive_t *enabled_by; /* the line that said so */
    const char *site_name;            /* HelpSupportSite; NULL: the ServerName */
    const char *site_url;
    const char *server_url;
    const ap_directive_t *server_by; /* the line that set it */
    const char *login_file;
    const hs_mailbox *from;
    const hs_mailbox *reply_to;
    const char *bounce;             /* NULL: not set; "" is the null sender */
    apr_interval_time_t max_age_us; /* 0: not set */
    hs_mail_limits limits;          /* NULL: not set; an empty array is "off" */
    int echoes_message;             /* -1: not set */
    const char *template_folder;
    hs_confirmation *templates; /* loaded by hs_config_check where mail is on; else NULL */
} hs_mail_config;

/* Of a server. */
typedef struct hs_server_config {
    hs_db_opts db; /* driver NULL, max 0, timeout_us 0, prepare -1: not set */
    hs_mail_config mail;
    int mail_connections;          /* of the main server; 0: not set */
    apr_array_header_t *locations; /* of hs_location */
    hs_node *node;                 /* set by post_config */
    hs_database *database;         /* set by child_init; NULL without HelpSupportDB */
} hs_server_config;

/* For the module record: create and merge, in httpd's own form. */
void *hs_config_create_dir(apr_pool_t *p, char *path);
void *hs_config_merge_dir(apr_pool_t *p, void *base, void *add);
void *hs_config_create_server(apr_pool_t *p, server_rec *s);
void *hs_config_merge_server(apr_pool_t *p, void *base, void *add);

/* The merged configuration; never NULL. Thread: any. */
const hs_dir_config *hs_config_dir(const request_rec *r);
hs_server_config *hs_config_server(const server_rec *s);

/* The value that counts: what was set, else the default. */
apr_off_t hs_config_max_body_bytes(const hs_dir_config *dir);
const hs_rate *hs_config_submit_rate(const hs_dir_config *dir);

/* HelpSupportMailConnections of the main server. */
int hs_config_mail_connections(const hs_server_config *main_server);

/* Whether submissions to this server are confirmed by mail. After hs_config_check. */
int hs_config_sends_mail(const hs_server_config *server);

/* The Location of `s` that `uri` lies in, or NULL. For requests that failed before core walked the
 * Locations. */
const hs_location *hs_config_find_location(const server_rec *s, const char *uri);

/* What can only be known with all directives read (check_config hook): every Location has a
 * database, none lies in another. Fills in defaults that depend on the MPM. Returns NULL, or what
 * is wrong, with file and line. */
const char *hs_config_check(server_rec *main_server, apr_pool_t *p);

#endif
