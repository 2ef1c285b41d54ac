/* hs_ctl_mail.h - layer 10: helpsupportctl's commands on mails. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_CTL_MAIL_H
#define HS_CTL_MAIL_H

#include "hs_ctl.h"

/* `mail list [--state queued|sent|failed|suppressed]`: a heading and one line a mail. */
int hs_ctl_mail_list(hs_ctl *ctl);

/* `mail retry ID...`: queue failed or suppressed mails again. */
int hs_ctl_mail_retry(hs_ctl *ctl);

#endif
