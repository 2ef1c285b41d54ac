/* hs_store_int.h - layer 6: what the files of the store share; nobody else includes it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_STORE_INT_H
#define HS_STORE_INT_H

#include "hs_buffer.h"
#include "hs_db.h"
#include "hs_group.h"
#include "hs_query.h"
#include "hs_segment.h"
#include "hs_ticket.h"

/* Submissions or changes that are written together at most. More gain little: the fsync is shared
 * well before, and everybody waits for the whole group. */
#define HS_STORE_GROUP_MAX 64

/* Groups of lookups that are under way at once at most, and how many lookups have to wait before
 * another group is begun: a round trip for each costs the server and both sides' wake-ups far more
 * than the rows. */
#define HS_STORE_READERS_MAX 4
#define HS_STORE_CROWD 16

/* Tickets that a list looks at before it chooses how it is read: enough to tell 1 in 200, and a
 * millisecond or two. */
#define HS_STORE_SAMPLE 1000

/* Tickets whose words are moved into the index together, at least. A search looks through all that
 * wait for it, which takes it a microsecond each. */
#define HS_STORE_WAITING_MIN 256

/* Tickets that wait which one statement of a search reads: MariaDB packs a megabyte at most. */
#define HS_STORE_WAITING_PIECE 16384

typedef struct hs_store {
    hs_db *db;
    const char *const *sql;    /* of this database, by HS_SQL_* (hs_sql.h) */
    const char *const *schema; /* its statements, up to NULL */
    int makes_schema;          /* where there is none; else that is an error */
    int migrates_schema;       /* where it is an earlier version; else likewise */
    int sample;                /* HS_STORE_SAMPLE; a test of few tickets takes fewer, */
    int waiting_min;           /* and of HS_STORE_WAITING_MIN likewise, */
    int waiting_piece;         /* and of HS_STORE_WAITING_PIECE */
    /* Lists like `schema`, by the version that each leaves. */
    const char *const *const *migrations;
    hs_group *submissions;
    hs_group *changes;
    hs_group *lookups; /* of a server */
    void (*committed)(void *baton);
    void *baton;
} hs_store;

/* Something to do with a connection. Must be repeatable from its start. */
typedef hs_error *hs_store_work(hs_store *store, hs_conn *conn, void *baton, apr_pool_t *pool);

/* Migrate the schema from an earlier version to HS_SCHEMA_VERSION, inside a transaction and under
 * the schema's lock. The transaction's statements may then take as long as they take. */
hs_error *hs_store_migrate(hs_store *store, hs_conn *conn, apr_int64_t version,
                           apr_pool_t *pool) HS_MUSTCHECK;

/* All words (hs_utf8_words) of a ticket, a space before each, as a JSON string. */
const char *hs_store_words(const hs_ticket *ticket, apr_pool_t *pool);

/* The words (array of const char *) of a search that tell more than the others, up to NULL, in the
 * order in which they are best looked for. */
const char **hs_store_search_words(const apr_array_header_t *all, apr_pool_t *pool);

/* The text of HS_SQL_* number `sql`; of an option NULL, where the database has another way. */
const char *hs_store_sql(const hs_store *store, int sql);

/* Read: run `work` on a connection, without a transaction; again on another one where that one was
 * lost, its statements were invalid or the database was busy. Returns errors fit to leave the
 * store. The second until a deadline that began earlier. */
hs_error *hs_store_read(hs_store *store, hs_store_work *work, void *baton,
                        apr_pool_t *pool) HS_MUSTCHECK;
hs_error *hs_store_read_until(hs_store *store, hs_store_work *work, void *baton,
                              apr_time_t deadline, apr_pool_t *pool) HS_MUSTCHECK;

/* The same for a single statement. */
hs_error *hs_store_select(hs_store *store, hs_rows **rows, int sql, const void **values,
                          apr_pool_t *pool) HS_MUSTCHECK;

/* Write: run `work` in a transaction and commit it, trying again before `deadline` where that can
 * help. Work that finds nothing to write may end the transaction by hs_db_rollback and return NULL.
 * After an unknown outcome it is run again only where it `looks` whether it was done; else, or
 * where the look fails, HS_OUTCOME_UNKNOWN. Errors may be HS_DB_*: hs_store_outward. */
typedef enum hs_store_again { HS_STORE_BLIND = 0, HS_STORE_LOOKS } hs_store_again;
hs_error *hs_store_write(hs_store *store, hs_store_work *work, void *baton, hs_store_again again,
                         apr_time_t deadline, apr_pool_t *pool) HS_MUSTCHECK;

/* The same for work that writes in one statement, which must be HS_STORE_LOOKS: a server gets no
 * transaction around it, so that it is one round trip. What else the work does may only read or
 * lock; where that fails after the write, the work says HS_OUTCOME_UNKNOWN itself. */
hs_error *hs_store_apply(hs_store *store, hs_store_work *work, void *baton, apr_time_t deadline,
                         apr_pool_t *pool) HS_MUSTCHECK;

/* Write rows 0 to count - 1 by a statement that takes a JSON array of them, in pieces that each
 * server takes. `put` appends one row. */
typedef void hs_store_put_row(hs_buffer *json, const void *baton, int row, apr_pool_t *pool);
hs_error *hs_store_write_rows(hs_conn *conn, const char *sql, int count, hs_store_put_row *put,
                              const void *baton, apr_pool_t *pool) HS_MUSTCHECK;

/* Append the numbers that a statement packed into one text: `count` in all, between commas or
 * spaces; NULL for none. HS_UNAVAILABLE, in `pool`, where the database cut it. A cut inside the
 * last of them can't be told: one statement must pack far less than fits. */
hs_error *hs_store_unpack_numbers(apr_array_header_t *numbers, const char *text, apr_int64_t count,
                                  apr_pool_t *pool) HS_MUSTCHECK;

/* The time by which leases and ages go: the server's, or where there is none, this machine's. */
hs_error *hs_store_clock(hs_store *store, hs_conn *conn, apr_int64_t *now,
                         apr_pool_t *pool) HS_MUSTCHECK;

/* Make an error fit to leave the store: HS_DB_* becomes HS_UNAVAILABLE. NULL stays NULL. */
hs_error *hs_store_outward(hs_error *error);

/* Whether a group failed for what one of its rows holds, so that the others can succeed alone. */
int hs_store_may_be_one_row(const hs_error *error);

/* The ticket of a row: number, id, user_id, name, phone_number, email, message, status, version,
 * created_us, updated_us. Its strings are the row's. */
hs_ticket *hs_store_ticket(const hs_rows *rows, int row, apr_pool_t *pool);

/* A copy whose strings are in `pool`. */
hs_ticket *hs_store_ticket_copy(const hs_ticket *ticket, apr_pool_t *pool);

/* Where a list's tickets come from. Each is one index; what it does not select by is tested. */
typedef enum hs_source {
    HS_SOURCE_ORDER = 0, /* all tickets, or by status, in the list's own order */
    HS_SOURCE_PERSON,    /* one user's or one address's, in order of creation */
    HS_SOURCE_RANGE,     /* as the first, in the other order */
    HS_SOURCE_FOUND      /* those with some numbers: what a search found */
} hs_source;

/* How a list is read: from where, and no further than before the ticket at the stop, if any. */
typedef struct hs_way {
    hs_source source;
    const char *found; /* the numbers of HS_SOURCE_FOUND: a JSON array */
    int has_stop;
    apr_int64_t stop_us; /* in the list's own order */
    apr_int64_t stop_number;
} hs_way;

/* Whether a way tests anything. */
int hs_store_way_has_tests(const hs_way *way, const hs_list *list);

/* Whether it gives the tickets in the list's order. */
int hs_store_way_is_in_order(const hs_way *way, const hs_list *list);

/* Choose the way that finds `need` tickets of `list`, which has no words, (0: all) soonest. A way
 * with a stop may find fewer than there are; then the second, which has none, finds them. */
hs_error *hs_store_choose(hs_store *store, hs_conn *conn, hs_way *way, const hs_list *list,
                          apr_int64_t need, apr_pool_t *pool) HS_MUSTCHECK;
hs_way hs_store_way_to_all(const hs_list *list);

/* Whether a list asks for more than words. */
int hs_store_list_has_filters(const hs_list *list);

/* A search: the keys (hs_key) of the first `need` tickets (0: all) of `list`, which has words, in
 * its order. The second only counts. */
typedef struct hs_key {
    apr_int64_t us; /* by which the list is sorted */
    apr_int64_t number;
} hs_key;
hs_error *hs_store_search(hs_store *store, hs_conn *conn, apr_array_header_t **keys,
                          const hs_list *list, apr_int64_t need, apr_pool_t *pool) HS_MUSTCHECK;
hs_error *hs_store_search_count(hs_store *store, hs_conn *conn, apr_int64_t *count,
                                const hs_list *list, apr_int64_t need,
                                apr_pool_t *pool) HS_MUSTCHECK;

/* The statements of a list, its words apart; *values is what hs_conn_select needs. A page of it;
 * the keys of its first `limit` tickets: how many, and a text of "number us" between commas, in no
 * order; the number of its matches, no further than `cap` + 1 where cap > 0; of the store's sample
 * of the way, how many tickets it has and how many pass the tests; the key of the ticket behind
 * `offset` others. */
const char *hs_store_compose(const hs_store *store, const void ***values, const hs_list *list,
                             const hs_way *way, apr_pool_t *pool);
const char *hs_store_compose_keys(const hs_store *store, const void ***values, const hs_list *list,
                                  const hs_way *way, apr_int64_t limit, apr_pool_t *pool);
const char *hs_store_compose_count(const hs_store *store, const void ***values, const hs_list *list,
                                   const hs_way *way, apr_int64_t cap, apr_pool_t *pool);
const char *hs_store_compose_sample(const hs_store *store, const void ***values,
                                    const hs_list *list, const hs_way *way, apr_pool_t *pool);
const char *hs_store_compose_place(const hs_store *store, const void ***values, const hs_list *list,
                                   const hs_way *way, apr_int64_t offset, apr_pool_t *pool);

/* A segment that the database has; its pages are not read. */
typedef struct hs_stored_segment {
    apr_int64_t id;
    apr_int64_t last_us; /* when its last ticket was created */
    apr_int64_t disorder_us;
    hs_segment segment;
} hs_stored_segment;

/* All of them, in no order, as an array of hs_stored_segment in `pool`. Errors are those of
 * statements. */
hs_error *hs_store_segments(hs_store *store, hs_conn *conn, apr_array_header_t **segments,
                            apr_pool_t *pool) HS_MUSTCHECK;

/* Who leads a group: items are those of hs_store_submit.c, hs_store_status.c, hs_store_get.c. */
hs_group_run hs_store_run_submissions;
hs_group_run hs_store_run_changes;
hs_group_run hs_store_run_lookups;

#endif
