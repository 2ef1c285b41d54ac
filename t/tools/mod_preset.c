/* mod_preset.c - for the access tests: does to a request what some other module might. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <httpd.h>
#include <http_config.h>
#include <http_protocol.h>
#include <http_request.h>

#include <apr_strings.h>

/* "Preset-User: root" and "Preset-Type: Basic" in a request become r->user and r->ap_auth_type, as
 * other modules set them from what a client says (mod_ssl's SSLUserName). */
static void preset(request_rec *r)
{
    const char *user = apr_table_get(r->headers_in, "Preset-User");
    const char *type = apr_table_get(r->headers_in, "Preset-Type");

    if (user) {
        r->user = apr_pstrdup(r->pool, user);
    }
    if (type) {
        r->ap_auth_type = apr_pstrdup(r->pool, type);
    }
}

static int preset_early(request_rec *r)
{
    if (!apr_table_get(r->headers_in, "Preset-Late")) {
        preset(r);
    }
    return DECLINED;
}

/* Where mod_ssl does it: after access control, before the handler. */
static int preset_late(request_rec *r)
{
    preset(r);
    return DECLINED;
}

/* "Preset-Login: root" is let in, whatever the AuthType, also where there is none. */
static int let_in(request_rec *r)
{
    const char *user = apr_table_get(r->headers_in, "Preset-Login");

    if (!user) {
        return DECLINED;
    }
    r->user = apr_pstrdup(r->pool, user);
    return OK;
}

/* "Preset-Redirect: /other" leads there when access has been decided on. */
static int redirect(request_rec *r)
{
    const char *path = apr_table_get(r->headers_in, "Preset-Redirect");

    if (!path || r->prev) {
        return DECLINED;
    }
    ap_internal_redirect(path, r);
    return OK;
}

static void register_hooks(apr_pool_t *p)
{
    (void)p;
    ap_hook_check_authn(let_in, NULL, NULL, APR_HOOK_REALLY_FIRST, AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_handler(redirect, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_post_read_request(preset_early, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_fixups(preset_late, NULL, NULL, APR_HOOK_REALLY_FIRST);
}

AP_DECLARE_MODULE(preset) = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks, 0,
};
