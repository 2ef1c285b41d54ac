/* hs_process.h - layer 14: what lives as long as the node's httpd or as one of its children. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_PROCESS_H
#define HS_PROCESS_H

#include <httpd.h>
#include <http_config.h>

/* Hooks, in the order httpd runs them. */
int hs_process_pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp);
int hs_process_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);
int hs_process_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                           server_rec *main_server);
int hs_process_monitor(apr_pool_t *p, server_rec *s);
void hs_process_child_init(apr_pool_t *pchild, server_rec *s);

#endif
