/* hs_process.c - layer 14: what lives as long as the node's httpd or as one of its children. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_process.h"

#include "hs_config.h"
#include "hs_log.h"
#include "hs_sender.h"

#include <apr_strings.h>
#include <ap_mpm.h>
#include <http_core.h>
#include <util_mutex.h>

#define MUTEX_TYPE "helpsupport"

int hs_process_pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    (void)plog;
    (void)ptemp;
    /* a timed mechanism: a request waits for the database no longer than HelpSupportDBPool says */
    return ap_mutex_register(pconf, MUTEX_TYPE, NULL, APR_LOCK_DEFAULT_TIMED, 0) == APR_SUCCESS
               ? OK
               : HTTP_INTERNAL_SERVER_ERROR;
}

/* A posixsem whose holder was killed stays locked for ever (tried); all others recover. The
 * mechanism that a Mutex directive led to is only to be had from a mutex, so make one for the look
 * of it. */
static const char *check_mutex(server_rec *s, apr_pool_t *ptemp)
{
    apr_global_mutex_t *mutex;
    apr_status_t rv = ap_global_mutex_create(&mutex, NULL, MUTEX_TYPE, "check", s, ptemp, 0);

    if (rv != APR_SUCCESS) {
        return "the mutex can't be created: see the Mutex directive";
    }
    return apr_global_mutex_mech(mutex) == APR_LOCK_POSIXSEM
               ? "Mutex posixsem can't be used: it stays locked when a process is killed; "
                 "write \"Mutex pthread helpsupport\" or another mechanism"
               : NULL;
}

int hs_process_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    const char *wrong = hs_config_check(s, pconf);

    (void)plog;
    if (!wrong) {
        wrong = check_mutex(s, ptemp);
    }
    if (wrong) {
        /* APLOG_STARTUP: to the terminal, where apachectl configtest is read */
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, 0, s, "HS0001: %s", wrong);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return OK;
}

static hs_node *create_node(apr_pool_t *pconf, server_rec *s)
{
    hs_node *node = apr_pcalloc(pconf, sizeof(*node));
    apr_status_t rv = ap_global_mutex_create(&node->write_turn, &node->write_turn_file, MUTEX_TYPE,
                                             NULL, s, pconf, 0);

    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s,
                     "HS0002: the mutex can't be created: see the Mutex directive");
        return NULL;
    }
    rv = hs_limit_create(&node->submissions, pconf);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s,
                     "HS0003: no shared memory for the submission limit");
        return NULL;
    }
    return node;
}

/* What the pools make for the whole node, so that nobody has to multiply when setting
 * max_connections. */
static void log_pool_size(server_rec *s, const hs_db_opts *db)
{
    int children = 1;

    ap_mpm_query(AP_MPMQ_MAX_DAEMONS, &children);
    ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                 "HS0004: mod_helpsupport/" HS_VERSION ", %s: up to %d database connections "
                 "(%d in each of up to %d processes)",
                 db->driver, db->max * children, db->max, children);
}

int hs_process_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                           server_rec *main_server)
{
    hs_node *node;

    (void)plog;
    (void)ptemp;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK; /* httpd reads its configuration twice at start; the first is thrown away */
    }
    node = create_node(pconf, main_server);
    if (!node) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    for (server_rec *s = main_server; s; s = s->next) {
        hs_server_config *server = hs_config_server(s);

        server->node = node;
        server->db.write_turn = node->write_turn;
        if (server->db.driver &&
            (s == main_server || server->db.params != hs_config_server(main_server)->db.params)) {
            log_pool_size(s, &server->db);
        }
    }
    return hs_sender_start(node, main_server, pconf);
}

int hs_process_monitor(apr_pool_t *p, server_rec *s)
{
    (void)p;
    hs_sender_tend(hs_config_server(s)->node);
    return DECLINED;
}

static hs_database *open_database(const hs_db_opts *db, hs_node *node, server_rec *s,
                                  apr_pool_t *pchild)
{
    hs_database *database = apr_pcalloc(pchild, sizeof(*database));
    hs_error *error =
        hs_store_create(&database->store, db, node->wake ? hs_sender_wake : NULL, node, pchild);

    if (error) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s, "HS0005: %s", error->text);
        return NULL;
    }
    database->tokens = hs_token_cache_create(pchild);
    return database->tokens ? database : NULL;
}

void hs_process_child_init(apr_pool_t *pchild, server_rec *s)
{
    hs_node *node = hs_config_server(s)->node;
    apr_hash_t *databases = apr_hash_make(pchild);

    if (apr_global_mutex_child_init(&node->write_turn, node->write_turn_file, pchild) !=
        APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s,
                     "HS0006: the mutex can't be attached: see the Mutex directive");
    }
    for (; s; s = s->next) {
        hs_server_config *server = hs_config_server(s);
        const char *key;

        if (!server->db.driver) {
            continue;
        }
        server->db.write_turn = node->write_turn; /* child_init may have made another */
        key = apr_psprintf(pchild, "%s %d %" APR_INT64_T_FMT " %d %s", server->db.driver,
                           server->db.max, (apr_int64_t)server->db.timeout_us, server->db.prepare,
                           server->db.params);
        server->database = apr_hash_get(databases, key, APR_HASH_KEY_STRING);
        if (!server->database) {
            server->database = open_database(&server->db, node, s, pchild);
            apr_hash_set(databases, key, APR_HASH_KEY_STRING, server->database);
        }
    }
}
