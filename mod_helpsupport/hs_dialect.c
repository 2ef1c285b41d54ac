/* hs_dialect.c - layer 3: what differs from one database to the next. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_dialect.h"

#include <string.h>

const hs_dialect *hs_dialect_find(const char *driver)
{
    static const hs_dialect *const dialects[] = {&hs_dialect_sqlite3, &hs_dialect_pgsql,
                                                 &hs_dialect_mysql, NULL};

    for (const hs_dialect *const *dialect = dialects; *dialect; dialect++) {
        if (strcmp((*dialect)->driver, driver) == 0) {
            return *dialect;
        }
    }
    return NULL;
}
