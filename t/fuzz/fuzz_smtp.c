/* fuzz_smtp.c - a relay that says anything, in pieces of any length: what it hears must be the
 * beginning of a mail, command by command, and the whole of it where the mail may be sent. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "hs_smtp_dialogue.h"

#include "hs_clock.h"

#include <stdlib.h>
#include <string.h>

#define ENVELOPE "MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n"

static const char MAIL[] = ".\r\nx\r\n..\r\n";
static const char WIRE[] = ENVELOPE "..\r\nx\r\n...\r\n.\r\n";

/* What is left of what the relay says, and what it heard. */
typedef struct relay {
    const uint8_t *says;
    size_t length;
    size_t piece;
    size_t heard;
} relay;

static void require(int holds)
{
    if (!holds) {
        abort();
    }
}

static int take(void *link, const char *octets, apr_size_t length, apr_time_t until)
{
    relay *r = link;

    (void)until;
    require(length && r->heard + length < sizeof(WIRE));
    require(!memcmp(WIRE + r->heard, octets, length));
    r->heard += length;
    require(WIRE[r->heard - 1] == '\n');
    return 1;
}

static apr_size_t give(void *link, char *octets, apr_size_t size, apr_time_t until)
{
    relay *r = link;
    size_t length = r->length < r->piece ? r->length : r->piece;

    (void)until;
    require(size > 0);
    length = length < size ? length : size;
    memcpy(octets, r->says, length);
    r->says += length;
    r->length -= length;
    return length;
}

/* The first octet says how the relay behaves, the others are what it says. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static hs_smtp_dialogue dialogue;
    hs_smtp_mail mail = {"", "a@b.example", MAIL, sizeof(MAIL) - 1};
    char masked[HS_SMTP_REPLY_SIZE];
    hs_smtp_class class;
    relay r;

    if (!size) {
        return 0;
    }
    r = (relay){.says = data + 1, .length = size - 1, .piece = 1 + data[0] / 2};
    dialogue.wire = (hs_smtp_wire){&r, take, give};
    dialogue.offers = data[0] % 2 ? HS_SMTP_PIPELINING : 0;
    dialogue.patience = APR_USEC_PER_SEC;
    dialogue.until = hs_clock_now() + APR_USEC_PER_SEC;
    class = hs_smtp_dialogue_run(&dialogue, &mail);
    if (class == HS_SMTP_SENT || class == HS_SMTP_AMBIGUOUS) {
        require(r.heard == sizeof(WIRE) - 1);
    } else if (r.heard >= sizeof(ENVELOPE)) {
        require(!dialogue.answered || dialogue.reply.code >= 400);
    }
    require(dialogue.owed >= 0 && strlen(dialogue.reply.text) == dialogue.reply.length);
    hs_smtp_reply_mask(masked, dialogue.reply.text, dialogue.reply.cut, mail.recipient);
    require(!strchr(masked, '@') && !strpbrk(masked, "\r\n"));
    return 0;
}
