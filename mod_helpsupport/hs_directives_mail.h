/* hs_directives_mail.h - layer 12: the setters of the mail's directives. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_DIRECTIVES_MAIL_H
#define HS_DIRECTIVES_MAIL_H

#include <httpd.h>
#include <http_config.h>

/* Each in the form of httpd's command_rec, for the table in hs_directives.c: return NULL or what is
 * wrong. */
const char *hs_mail_set_enabled(cmd_parms *cmd, void *config, int on);
const char *hs_mail_set_site(cmd_parms *cmd, void *config, const char *name, const char *url);
const char *hs_mail_set_server(cmd_parms *cmd, void *config, const char *url);
const char *hs_mail_set_login(cmd_parms *cmd, void *config, const char *file);
const char *hs_mail_set_from(cmd_parms *cmd, void *config, const char *mailbox);
const char *hs_mail_set_reply_to(cmd_parms *cmd, void *config, const char *mailbox);
const char *hs_mail_set_bounce(cmd_parms *cmd, void *config, const char *address);
const char *hs_mail_set_connections(cmd_parms *cmd, void *config, const char *count);
const char *hs_mail_set_max_age(cmd_parms *cmd, void *config, const char *time);
const char *hs_mail_set_limit(cmd_parms *cmd, void *config, int argc, char *const argv[]);
const char *hs_mail_set_echo(cmd_parms *cmd, void *config, const char *what);
const char *hs_mail_set_templates(cmd_parms *cmd, void *config, const char *folder);

#endif
