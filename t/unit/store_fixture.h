/* store_fixture.h - a store on a database file of its own, and tickets to put into it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include "hs_store.h"
#include "hs_uuid.h"
#include "tap.h"

#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct fixture {
    apr_pool_t *pool;
    const char *folder;
    const char *file;
    hs_db_opts opts;
    hs_store *store;
} fixture;

/* Print why something that must work did not. Returns whether it worked. */
static inline int fixture_worked(const hs_error *error)
{
    if (error) {
        printf("# error %d: %s\n", (int)error->code, error->text);
    }
    return !error;
}

static inline void fixture_open(fixture *self, apr_pool_t *parent)
{
    const char *temp;
    char *folder;

    memset(self, 0, sizeof(*self));
    apr_pool_create(&self->pool, parent);
    if (apr_temp_dir_get(&temp, self->pool) != APR_SUCCESS) {
        temp = "/tmp";
    }
    folder = apr_pstrcat(self->pool, temp, "/hs-unit-XXXXXX", NULL);
    if (!mkdtemp(folder)) {
        printf("Bail out! no temporary folder\n");
        abort();
    }
    self->folder = folder;
    self->file = apr_pstrcat(self->pool, folder, "/tickets.db", NULL);
    self->opts = (hs_db_opts){.driver = "sqlite3",
                              .params = self->file,
                              .max = 4,
                              .timeout_us = apr_time_from_sec(5),
                              .prepare = 1};
    if (!fixture_worked(hs_store_create(&self->store, &self->opts, NULL, NULL, self->pool))) {
        abort();
    }
}

static inline void fixture_close(fixture *self)
{
    const char *const suffixes[] = {"", "-wal", "-shm"};
    char *folder = strdup(self->folder);
    char *file = strdup(self->file);

    apr_pool_destroy(self->pool);
    for (size_t i = 0; i < 3; i++) {
        char name[1024];

        snprintf(name, sizeof(name), "%s%s", file, suffixes[i]);
        unlink(name);
    }
    rmdir(folder);
    free(folder);
    free(file);
}

/* A submission of `user_id`; the caller changes what matters to it. */
static inline hs_submit *fixture_submission(const char *user_id, apr_pool_t *pool)
{
    hs_submit *submit = apr_pcalloc(pool, sizeof(*submit));
    hs_ticket *ticket = apr_pcalloc(pool, sizeof(*ticket));
    char *id = apr_palloc(pool, HS_UUID_SIZE);

    hs_uuid_make(id, apr_time_now());
    *ticket =
        (hs_ticket){.id = id,
                    .user_id = user_id,
                    .name = "Jane Doe",
                    .phone_number = "+1234567890",
                    .email = "Jane+help@example.com",
                    .message = "I'm having \"trouble\" connecting\nmy database \\ caf\xc3\xa9.",
                    .version = 1};
    *submit = (hs_submit){.ticket = ticket, .site = "www.example.com", .language = "en"};
    return submit;
}

#endif
