/* mod_helpsupport.c - layer 16: the module record and its hooks, each with the reason for its
 * place. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_auth.h"
#include "hs_config.h"
#include "hs_directives.h"
#include "hs_handler.h"
#include "hs_process.h"
#include "hs_request.h"

#include <ap_provider.h>
#include <http_config.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mpm_common.h>

static void register_hooks(apr_pool_t *p)
{
    (void)p;

    /* start-up; what configtest is to report sits in the directives and in check_config, for -t
     * runs no post_config */
    ap_hook_pre_config(hs_process_pre_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(hs_process_check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(hs_process_post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_monitor(hs_process_monitor, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(hs_process_child_init, NULL, NULL, APR_HOOK_MIDDLE);

    /* first of all, so that no ProxyPass, Alias, RewriteRule or FallbackResource takes the request
     * away */
    ap_hook_post_read_request(hs_request_post_read, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_pre_translate_name(hs_request_pre_translate_name, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_translate_name(hs_request_translate_name, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_map_to_storage(hs_request_map_to_storage, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_type_checker(hs_request_type_checker, NULL, NULL, APR_HOOK_REALLY_FIRST);

    /* after those that set r->handler here: mod_dav, mod_rewrite in a <Location> */
    ap_hook_fixups(hs_request_fixups, NULL, NULL, APR_HOOK_REALLY_LAST);

    /* before mod_authn_core's last word, a 500, on a place without AuthType */
    ap_hook_check_authn(hs_auth_refuse_without_type, NULL, NULL, APR_HOOK_FIRST,
                        AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_check_authn(hs_auth_check_bearer, NULL, NULL, APR_HOOK_MIDDLE,
                        AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_force_authn(hs_auth_force_authn, NULL, NULL, APR_HOOK_MIDDLE);
    /* before whoever decides, so that the proof is there when our provider is asked */
    ap_hook_check_authz(hs_auth_note_proof, NULL, NULL, APR_HOOK_REALLY_FIRST,
                        AP_AUTH_INTERNAL_PER_CONF);
    ap_register_auth_provider(p, AUTHZ_PROVIDER_GROUP, "help-support", AUTHZ_PROVIDER_VERSION,
                              &hs_auth_require, AP_AUTH_INTERNAL_PER_CONF);

    ap_hook_handler(hs_handler_run, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_log_transaction(hs_auth_log_token_use, NULL, NULL, APR_HOOK_MIDDLE);

    /* last, so that the headers which other modules give errors are known; the content-set filters
     * of those run before ours, whose output is the answer */
    ap_hook_insert_error_filter(hs_request_insert_error_filter, NULL, NULL, APR_HOOK_LAST);
    ap_register_output_filter(HS_PROBLEM_FILTER, hs_request_problem_filter, NULL,
                              AP_FTYPE_CONTENT_SET);
}

AP_DECLARE_MODULE(helpsupport) = {
    STANDARD20_MODULE_STUFF, hs_config_create_dir, hs_config_merge_dir, hs_config_create_server,
    hs_config_merge_server,  hs_directives,        register_hooks,      0,
};
