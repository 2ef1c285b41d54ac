/* hs_store_found_int.h - layer 7: a search's numbers, for the files of hs_store_found.h only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_STORE_FOUND_INT_H
#define HS_STORE_FOUND_INT_H

#include "hs_buffer.h"
#include "hs_number_set.h"
#include "hs_store_int.h"

typedef struct hs_found_segment {
    apr_int64_t id;
    apr_int64_t from_number;
    apr_int64_t to_number;
    apr_int64_t tickets;
    const char *fences;
    hs_number_set found; /* the tickets that have all words which were looked for */
    hs_number_set has;   /* while a word is looked for: those that have it */
    apr_int64_t next;    /* to be taken */
} hs_found_segment;

struct hs_found {
    hs_store *store;
    hs_conn *conn;
    const struct hs_found_query *query;
    const char **words; /* up to NULL; the longest first, which fewest tickets have, as a rule */
    apr_array_header_t *waiting; /* ascending */
    hs_found_segment *segments;  /* in the order in which they are loaded */
    int count;
    int loaded;
    apr_int64_t load; /* tickets to load the next time */
    apr_int64_t from_number;
    apr_int64_t to_number;
    apr_int64_t disorder_us;
    apr_pool_t *pool;
    hs_buffer json;      /* pages that are asked for */
    apr_pool_t *scratch; /* for the rows of one statement */
};

/* The segments that we saw were merged meanwhile. */
hs_error *hs_found_changed(const struct hs_found *self) HS_MUSTCHECK;

#endif
