/* hs_log.h - layer 9: what a file needs to log as this module; for all of the httpd skin but the
 * entry file. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_LOG_H
#define HS_LOG_H

#include <httpd.h>
#include <http_config.h>
#include <http_log.h>

/* Defines the log index, as AP_DECLARE_MODULE does in the entry file: so that one must not include
 * this. Messages begin with "HSnnnn: ", a number used once in the whole tree (APLOGNO belongs to
 * httpd's own modules), name the request's id at their end, and hold no token, address or message.
 */
APLOG_USE_MODULE(helpsupport);

#endif
