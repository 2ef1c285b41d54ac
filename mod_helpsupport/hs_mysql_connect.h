/* hs_mysql_connect.h - layer 2: what MariaDB's client library can do and apr_dbd can't ask it for.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_MYSQL_CONNECT_H
#define HS_MYSQL_CONNECT_H

#include <apr_pools.h>

/* apr_dbd_mysql's parameters `params`, so changed that no step of connecting takes longer than
 * `seconds`. What a group of my.cnf says (`group=`) takes precedence. Unchanged where the driver,
 * which apr_dbd must have loaded, uses another library than MariaDB's. In `pool`. Thread: any. */
const char *hs_mysql_connect_params(const char *params, int seconds, apr_pool_t *pool);

/* The descriptor of the socket of a connection, apr_dbd's native handle; -1 where nothing tells. */
int hs_mysql_connect_socket(void *native);

#endif
