/* lost_commit.h - a server that commits, and whose answer is lost. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOST_COMMIT_H
#define LOST_COMMIT_H

#include <apr_dbd.h>

#include <dlfcn.h>
#include <stdatomic.h>
#include <string.h>

static atomic_int commits_without_answer; /* that follow */

/* What hs_db calls, in place of APR's: the server commits, and then the connection seems lost. */
__attribute__((visibility("default"))) int
apr_dbd_query(const apr_dbd_driver_t *driver, apr_dbd_t *handle, int *changed, const char *sql)
{
    __typeof__(&apr_dbd_query) real;
    void *symbol = dlsym(RTLD_NEXT, "apr_dbd_query");
    int status;

    memcpy(&real, &symbol, sizeof(real));
    status = real(driver, handle, changed, sql);
    if (status == 0 && commits_without_answer > 0 && strcmp(sql, "COMMIT") == 0) {
        commits_without_answer--;
        return 2013; /* of MariaDB's client; apr_dbd_pgsql has one for all */
    }
    return status;
}

#endif
