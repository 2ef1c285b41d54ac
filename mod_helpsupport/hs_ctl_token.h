/* hs_ctl_token.h - layer 10: helpsupportctl's commands on admin tokens. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_CTL_TOKEN_H
#define HS_CTL_TOKEN_H

#include "hs_ctl.h"

/* `token create NAME [--scope read|write] [--expires PERIOD]`: the secret alone on stdout. */
int hs_ctl_token_create(hs_ctl *ctl);

/* `token list`: a heading and one line a token, never a secret. */
int hs_ctl_token_list(hs_ctl *ctl);

/* `token revoke NAME`. */
int hs_ctl_token_revoke(hs_ctl *ctl);

/* `token rotate NAME --grace PERIOD`: the new secret alone on stdout. */
int hs_ctl_token_rotate(hs_ctl *ctl);

#endif
