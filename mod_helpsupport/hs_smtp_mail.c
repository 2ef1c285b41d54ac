/* hs_smtp_mail.c - layer 2: one mail as it goes to the relay, and whether it may. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_smtp_mail.h"

#include <string.h>

#define MAX_ADDRESS 254

/* "x>\r\nRCPT TO:<y" would be one more command. Only what has no meaning in SMTP's own syntax. */
static int is_address(const char *text)
{
    apr_size_t ats = 0;
    const char *octet;

    for (octet = text; *octet; octet++) {
        if (*octet <= ' ' || *octet > '~' || strchr(",<>\"\\()[];:", *octet)) {
            return 0;
        }
        ats += *octet == '@';
    }
    return ats == 1 && *text != '@' && octet[-1] != '@' && octet - text <= MAX_ADDRESS;
}

/* A bare CR or LF in front of a dot ends the mail for some servers, and what follows would be
 * commands (CVE-2023-51764). */
static int has_only_crlf(const char *octets, apr_size_t length)
{
    const char *end = octets + length;
    const char *found;

    for (found = octets; (found = memchr(found, '\n', (apr_size_t)(end - found))); found++) {
        if (found == octets || found[-1] != '\r') {
            return 0;
        }
    }
    for (found = octets; (found = memchr(found, '\r', (apr_size_t)(end - found))); found++) {
        if (found + 1 == end || found[1] != '\n') {
            return 0;
        }
    }
    return 1;
}

const char *hs_smtp_mail_problem(const hs_smtp_mail *mail)
{
    if (!is_address(mail->recipient)) {
        return "nothing was sent: the recipient is not one plain address";
    }
    if (*mail->sender && !is_address(mail->sender)) {
        return "nothing was sent: the envelope sender is not one plain address";
    }
    if (!mail->length || memchr(mail->octets, '\0', mail->length)) {
        return "nothing was sent: the message is empty or holds a NUL";
    }
    if (!has_only_crlf(mail->octets, mail->length)) {
        return "nothing was sent: the message holds a bare CR or LF";
    }
    return NULL;
}
