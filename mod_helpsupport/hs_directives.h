/* hs_directives.h - layer 13: the directives (contract 5): their table, and setters of all but the
 * mail's. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_DIRECTIVES_H
#define HS_DIRECTIVES_H

#include <httpd.h>
#include <http_config.h>

/* For the module record. Every value is checked as it is read, so that configtest names file and
 * line. */
extern const command_rec hs_directives[];

#endif
