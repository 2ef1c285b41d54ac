/* hs_ctl_copy.h - layer 10: helpsupportctl's command that copies a database. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_CTL_COPY_H
#define HS_CTL_COPY_H

#include "hs_ctl.h"

/* `db copy --from "driver params"`: all that the other database holds comes into this empty one. */
int hs_ctl_copy(hs_ctl *ctl);

#endif
