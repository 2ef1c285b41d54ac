/* hs_handler.h - layer 15: one short function per operation. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_HANDLER_H
#define HS_HANDLER_H

#include <httpd.h>

/* The handler hook: answers in a Location with HelpSupport On, declines anywhere else. */
int hs_handler_run(request_rec *r);

#endif
