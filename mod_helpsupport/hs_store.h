/* hs_store.h - layer 6: tickets and their mails in the database; the only callers of SQL are
 * hs_store*.c. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_STORE_H
#define HS_STORE_H

#include "hs_db.h"
#include "hs_query.h"
#include "hs_ticket.h"

#include <apr_tables.h>

/* One database as one process sees it: its pool of connections and its three queues: of those who
 * submit, change, and look up. Every call below may be made by any thread at once. `pool` is the
 * caller's: results and errors land there. Errors, wherever not said otherwise: HS_UNAVAILABLE
 * (nothing was done; 503), HS_OUTCOME_UNKNOWN. */
typedef struct hs_store hs_store;

/* Prepare to use a database; connects to nothing, so a database that is down stops no httpd. The
 * store and all it opens live in `pool` (pchild, or a process's own), whose cleanup closes every
 * connection; no other thread may be inside a call then. `opts` and its strings must outlive it.
 * `committed`, if not NULL, is called with `baton` by the thread that committed submissions, after
 * COMMIT: it wakes the mail sender and must not block. Returns HS_CONFIGURATION where the driver
 * can't be loaded. */
hs_error *hs_store_create(hs_store **store, const hs_db_opts *opts, void (*committed)(void *baton),
                          void *baton, apr_pool_t *pool) HS_MUSTCHECK;

/* Load the driver and look at the parameters without connecting: what configtest can know. Returns
 * HS_CONFIGURATION with the reason. Call at configuration time, as root. Single thread. */
hs_error *hs_store_check_driver(const char *driver, const char *params,
                                apr_pool_t *pool) HS_MUSTCHECK;

/* Create or migrate the schema (helpsupportctl db init). Safe from two processes at once. */
hs_error *hs_store_init(hs_store *store, apr_pool_t *pool) HS_MUSTCHECK;

/* Connect and compare the schema with what this program knows (helpsupportctl db check). */
hs_error *hs_store_check(hs_store *store, apr_pool_t *pool) HS_MUSTCHECK;

/* What is to be stored with a ticket. */
typedef struct hs_submit {
    hs_ticket *ticket; /* id, user_id, the four members set; created_us, updated_us are filled in */
    const char *idempotency_key; /* 1-255 octets without quotes, or NULL */
    const char *site;            /* ServerName: which sender may claim the mail */
    const char *language;        /* of the mail, "en" */
    const char *suppressed; /* NULL: the mail is queued; else why there will be none ("mail off") */
} hs_submit;

/* Store ticket, idempotency key and mail row in one transaction together with whatever else waits
 * (group commit). Returns NULL only after COMMIT with synced data. With *replayed 1 the key was
 * used before: submit->ticket then holds that first answer (status open, updated = created).
 * HS_KEY_MISMATCH: used before with other members. HS_OUTCOME_UNKNOWN: never answer 201. Everything
 * in `submit` and `pool` must stay valid until it returns: another thread may be writing it. */
hs_error *hs_store_submit(hs_store *store, hs_submit *submit, int *replayed,
                          apr_pool_t *pool) HS_MUSTCHECK;

/* One ticket. HS_NOT_FOUND where there is none. */
hs_error *hs_store_get(hs_store *store, hs_ticket **ticket, const hs_ticket_ref *ref,
                       apr_pool_t *pool) HS_MUSTCHECK;

typedef struct hs_page {
    apr_array_header_t *tickets; /* of const hs_ticket *, in order, at most list->limit */
    int has_more;                /* tickets match behind the last one */
    apr_int64_t total;           /* with list->count: how many match … */
    int total_is_capped;         /* … or more than `total`, which is list->count_cap */
} hs_page;

/* A page of tickets. Costs no more than its own rows and, with skip, that many index entries. */
hs_error *hs_store_list(hs_store *store, hs_page *page, const hs_list *list,
                        apr_pool_t *pool) HS_MUSTCHECK;

/* As much of an admin's name as MariaDB has room for. */
#define HS_BY_MAX 255

typedef struct hs_change {
    hs_ticket_ref ref;
    hs_status status;
    const char *if_match;      /* field value, or NULL */
    const char *if_none_match; /* likewise */
    const char *by;            /* the admin's name, for the history; at most HS_BY_MAX characters */
} hs_change;

/* Set the status, group-committed like submissions; a changed ticket gets version + 1, updated_us
 * and a history row, the same status changes nothing. *ticket is the ticket afterwards.
 * HS_NOT_FOUND; HS_STALE: the version is not the wanted one (checked first) and *ticket is the
 * ticket as it is. As with submit, `change` and `pool` must stay valid until it returns. */
hs_error *hs_store_set_status(hs_store *store, hs_ticket **ticket, const hs_change *change,
                              apr_pool_t *pool) HS_MUSTCHECK;

/* What happened to a ticket, oldest first, as an array of hs_event (hs_json.h). HS_NOT_FOUND. */
hs_error *hs_store_history(hs_store *store, apr_array_header_t **events, const hs_ticket_ref *ref,
                           apr_pool_t *pool) HS_MUSTCHECK;

#endif
