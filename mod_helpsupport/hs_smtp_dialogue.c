/* hs_smtp_dialogue.c - layer 3: the commands and replies that hand a mail to a relay. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_smtp_dialogue.h"

#include "hs_clock.h"

#include <apr_strings.h>

#include <string.h>

static int fail(hs_smtp_dialogue *d, const char *trouble)
{
    d->trouble = trouble;
    return 0;
}

/* Hearing. */

static int hear_line(hs_smtp_dialogue *d, apr_time_t until)
{
    char *end;
    apr_size_t length;
    int is_reply;

    while (!(end = memchr(d->in, '\n', d->heard))) {
        if (d->heard == sizeof(d->in)) {
            return fail(d, "a line of the relay's reply does not end");
        }
        length = d->wire.receive(d->wire.link, d->in + d->heard, sizeof(d->in) - d->heard, until);
        if (!length) {
            return 0;
        }
        d->heard += length;
    }
    end++;
    length = (apr_size_t)(end - d->in);
    is_reply = hs_smtp_reply_add(&d->reply, d->in, length);
    d->heard -= length;
    memmove(d->in, end, d->heard);
    return is_reply || fail(d, "the relay's reply is not SMTP");
}

/* Hear one reply. Returns whether its first digit is `wanted`; the other two may be any (RFC 5321
 * §4.2.1). A refusal is no trouble. */
static int hear(hs_smtp_dialogue *d, int wanted)
{
    apr_time_t until = hs_clock_now() + d->patience;

    if (until > d->until) {
        until = d->until;
    }
    d->answered = 0;
    do {
        if (!hear_line(d, until)) {
            return 0;
        }
    } while (d->reply.more);
    d->answered = 1;
    d->owed--;
    if (d->reply.code >= 400) {
        return 0;
    }
    return d->reply.code / 100 == wanted || fail(d, "the relay's reply does not fit the command");
}

/* Saying. */

static int say(hs_smtp_dialogue *d, const char *octets, apr_size_t length)
{
    if (d->heard) {
        return fail(d, "the relay replies more often than it was asked");
    }
    return d->wire.send(d->wire.link, octets, length, d->until);
}

/* Write "MAIL", "RCPT" and "DATA" to `out`, and where each of them begins and ends. */
static void write_envelope(hs_smtp_dialogue *d, const hs_smtp_mail *mail, apr_size_t ends[4])
{
    char *out = d->out;
    apr_size_t room = sizeof(d->out);
    apr_size_t at = 0;

    ends[0] = 0;
    at += (apr_size_t)apr_snprintf(out, room, "MAIL FROM:<%s>", mail->sender);
    if (d->offers & HS_SMTP_SIZE) {
        at += (apr_size_t)apr_snprintf(out + at, room - at, " SIZE=%" APR_SIZE_T_FMT, mail->length);
    }
    at += (apr_size_t)apr_snprintf(out + at, room - at, "\r\n");
    ends[1] = at;
    at += (apr_size_t)apr_snprintf(out + at, room - at, "RCPT TO:<%s>\r\n", mail->recipient);
    ends[2] = at;
    at += (apr_size_t)apr_snprintf(out + at, room - at, "DATA\r\n");
    ends[3] = at;
}

/* All at once where the relay allows it (RFC 2920), else one command after the other. */
static int say_envelope(hs_smtp_dialogue *d, const hs_smtp_mail *mail)
{
    int at_once = d->offers & HS_SMTP_PIPELINING ? 3 : 1;
    apr_size_t ends[4];
    int i;

    write_envelope(d, mail, ends);
    for (i = 0; i < 3; i++) {
        d->stage = i == 0 ? HS_SMTP_SENDER : HS_SMTP_ENVELOPE;
        if (i % at_once == 0) {
            d->owed = at_once;
            if (!say(d, d->out + ends[i], ends[i + at_once] - ends[i])) {
                return 0;
            }
        }
        if (!hear(d, i < 2 ? 2 : 3)) {
            return 0;
        }
    }
    return 1;
}

static int flush(hs_smtp_dialogue *d)
{
    apr_size_t length = d->unsaid;

    d->unsaid = 0;
    return say(d, d->out, length);
}

static int put(hs_smtp_dialogue *d, const char *octets, apr_size_t length)
{
    while (length) {
        apr_size_t piece;

        if (d->unsaid == sizeof(d->out) && !flush(d)) {
            return 0;
        }
        piece = sizeof(d->out) - d->unsaid;
        if (piece > length) {
            piece = length;
        }
        memcpy(d->out + d->unsaid, octets, piece);
        d->unsaid += piece;
        octets += piece;
        length -= piece;
    }
    return 1;
}

/* A dot at the begin of a line is doubled (RFC 5321 §4.5.2): the relay takes the first one away. */
static int put_stuffed(hs_smtp_dialogue *d, const char *octets, apr_size_t length)
{
    if (*octets == '.' && !put(d, ".", 1)) {
        return 0;
    }
    while (length) {
        const char *found = memmem(octets, length, "\n.", 2);
        apr_size_t piece = found ? (apr_size_t)(found + 1 - octets) : length;

        if (!put(d, octets, piece) || (found && !put(d, ".", 1))) {
            return 0;
        }
        octets += piece;
        length -= piece;
    }
    return 1;
}

static int say_body(hs_smtp_dialogue *d, const hs_smtp_mail *mail)
{
    int is_ended = mail->octets[mail->length - 1] == '\n';

    d->stage = HS_SMTP_BODY;
    d->owed = 1;
    d->unsaid = 0;
    if (!put_stuffed(d, mail->octets, mail->length) || (!is_ended && !put(d, "\r\n", 2)) ||
        !put(d, ".\r\n", 3) || !flush(d)) {
        return 0;
    }
    d->stage = HS_SMTP_HANDED_OVER;
    return 1;
}

hs_smtp_class hs_smtp_dialogue_run(hs_smtp_dialogue *d, const hs_smtp_mail *mail)
{
    memset(&d->reply, 0, sizeof(d->reply));
    d->answered = 0;
    d->trouble = NULL;
    d->heard = 0;
    if (say_envelope(d, mail) && say_body(d, mail) && hear(d, 2)) {
        return HS_SMTP_SENT;
    }
    return hs_smtp_reply_classify(&d->reply, d->stage, d->answered);
}

int hs_smtp_dialogue_is_in_step(const hs_smtp_dialogue *d)
{
    return !d->owed && !d->heard && !d->trouble;
}
