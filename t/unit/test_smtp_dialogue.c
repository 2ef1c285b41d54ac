/* test_smtp_dialogue.c - the commands and replies of a mail, over a wire that is none. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_smtp_dialogue.h"

#include "hs_clock.h"

#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

#include <stdlib.h>

#define PATIENCE (5 * APR_USEC_PER_SEC)
#define ENVELOPE "MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n"
#define ACCEPTED "250 one\r\n250 two\r\n354 three\r\n"

/* What the relay says, and what was said to it. */
typedef struct fake {
    const char *replies; /* '|' ends what comes at once; at the end it closes */
    int fails_at;        /* the number of the send that fails */
    apr_size_t at_most;  /* octets that come at once */
    int sends;
    char said[70000];
    apr_size_t length;
    apr_time_t until; /* of the last wait */
    hs_smtp_dialogue dialogue;
} fake;

static int take(void *link, const char *octets, apr_size_t length, apr_time_t until)
{
    fake *f = link;

    f->until = until;
    if (f->sends == f->fails_at) {
        f->fails_at = -1;
        return 0;
    }
    f->sends++;
    memcpy(f->said + f->length, octets, length);
    f->length += length;
    return 1;
}

static apr_size_t give(void *link, char *octets, apr_size_t size, apr_time_t until)
{
    fake *f = link;
    apr_size_t length = strcspn(f->replies, "|");

    f->until = until;
    if (length > size) {
        length = size;
    }
    if (length > f->at_most) {
        length = f->at_most;
    }
    memcpy(octets, f->replies, length);
    f->replies += length;
    if (*f->replies == '|') {
        f->replies++;
    }
    return length;
}

static void prepare(fake *f, unsigned int offers)
{
    memset(f, 0, sizeof(*f));
    f->fails_at = -1;
    f->at_most = 10000;
    f->dialogue.wire = (hs_smtp_wire){f, take, give};
    f->dialogue.offers = offers;
    f->dialogue.patience = PATIENCE;
    f->dialogue.until = hs_clock_now() + 60 * APR_USEC_PER_SEC;
}

static hs_smtp_class talk(fake *f, const char *replies, const char *octets)
{
    hs_smtp_mail mail = {"", "a@b.example", octets, strlen(octets)};

    f->replies = replies;
    return hs_smtp_dialogue_run(&f->dialogue, &mail);
}

static hs_smtp_class run(fake *f, unsigned int offers, const char *replies, const char *octets)
{
    prepare(f, offers);
    return talk(f, replies, octets);
}

static void test_pipelining(fake *f)
{
    tap_is_int(run(f, HS_SMTP_PIPELINING, ACCEPTED "|250 queued\r\n", "x\r\n"), HS_SMTP_SENT,
               "a mail is sent");
    tap_is_str(f->said, ENVELOPE "x\r\n.\r\n", "  as the RFC has it");
    tap_is_int(f->sends, 2, "  at two goes");
    tap_is_str(f->dialogue.reply.text, "250 queued", "  the last reply is told");
    tap_ok(hs_smtp_dialogue_is_in_step(&f->dialogue), "  and another may follow");
    tap_is_int(run(f, HS_SMTP_SIZE, "250 1\r\n|250 2\r\n|354 3\r\n|250 4\r\n", "x\r\n"),
               HS_SMTP_SENT, "a relay that wants one command after the other");
    tap_is_str(f->said,
               "MAIL FROM:<> SIZE=3\r\nRCPT TO:<a@b.example>\r\nDATA\r\n"
               "x\r\n.\r\n",
               "  hears the same");
    tap_is_int(f->sends, 4, "  at four goes");
    run(f, 0, ACCEPTED "|250 queued\r\n", "x\r\n");
    tap_is_int(f->sends, 1, "  and must not be quicker than we ask");
}

/* What a relay says, and what becomes of the mail: with the commands at once, or not. */
static const struct {
    const char *replies;
    hs_smtp_class class;
    int code;
    int in_step;
    int sends;
    unsigned int offers;
} DIALOGUES[] = {
    /* refused; whatever is said to DATA, no octet of the body may follow */
    {"550 no|503 no|354 go|250 sent", HS_SMTP_TEMPORARY, 550, 0, 1, HS_SMTP_PIPELINING},
    {"550 no|503 no|503 no|", HS_SMTP_TEMPORARY, 550, 0, 1, HS_SMTP_PIPELINING},
    {"250 ok|550 no|354 go|250 sent", HS_SMTP_PERMANENT, 550, 0, 1, HS_SMTP_PIPELINING},
    {"250 ok|550 no|554 no|", HS_SMTP_PERMANENT, 550, 0, 1, HS_SMTP_PIPELINING},
    {"250 ok|450 no|354 go|250 sent", HS_SMTP_TEMPORARY, 450, 0, 1, HS_SMTP_PIPELINING},
    {"250 ok|450 no|503 no|", HS_SMTP_TEMPORARY, 450, 0, 1, HS_SMTP_PIPELINING},
    {"250 ok|421 no|", HS_SMTP_RELAY, 421, 0, 1, HS_SMTP_PIPELINING},
    {"250 ok|250 ok|554 no|", HS_SMTP_PERMANENT, 554, 1, 1, HS_SMTP_PIPELINING},
    {"421 no|", HS_SMTP_RELAY, 421, 0, 1, HS_SMTP_PIPELINING},
    {"550 no|", HS_SMTP_TEMPORARY, 550, 1, 1, 0},
    {"250 ok|550 no|", HS_SMTP_PERMANENT, 550, 1, 2, 0},
    {"250 ok|250 ok|451 no|", HS_SMTP_TEMPORARY, 451, 1, 3, 0},
    {"250 ok|250 ok|354 go|554 no|", HS_SMTP_PERMANENT, 554, 1, 4, 0},
    {"250 ok|250 ok|354 go|554-no\n554 no|", HS_SMTP_PERMANENT, 554, 1, 2, HS_SMTP_PIPELINING},
    /* closed */
    {"", HS_SMTP_RELAY, 0, 0, 1, HS_SMTP_PIPELINING},
    {"250 ok|", HS_SMTP_TEMPORARY, 250, 0, 1, HS_SMTP_PIPELINING},
    {"250 ok|250 ok|", HS_SMTP_TEMPORARY, 250, 0, 1, HS_SMTP_PIPELINING},
    {"250 ok|250 ok|354 go|", HS_SMTP_AMBIGUOUS, 354, 0, 2, HS_SMTP_PIPELINING},
    {"250 ok|250 ok|354 go|250-sent\n", HS_SMTP_AMBIGUOUS, 250, 0, 2, HS_SMTP_PIPELINING},
    {"250 ok|250 ok|354 go|554-no\n554", HS_SMTP_AMBIGUOUS, 554, 0, 2, HS_SMTP_PIPELINING},
    {"550-no\n", HS_SMTP_TEMPORARY, 550, 0, 1, HS_SMTP_PIPELINING},
    /* other codes than expected */
    {"354 go|250 ok|250 ok|", HS_SMTP_TEMPORARY, 354, 0, 1, HS_SMTP_PIPELINING},
    {"250 ok|251 will forward|354 go|250 sent|", HS_SMTP_SENT, 250, 1, 2, HS_SMTP_PIPELINING},
    {"250 ok|250 ok|250 ok|", HS_SMTP_TEMPORARY, 250, 0, 1, HS_SMTP_PIPELINING},
    {"250 ok|250 ok|354 go|354 go on|", HS_SMTP_AMBIGUOUS, 354, 0, 2, HS_SMTP_PIPELINING},
    /* one reply too many: what follows can't be told from it */
    {"250 ok\n250 ok|250 ok|", HS_SMTP_TEMPORARY, 250, 0, 1, 0},
    {"250 ok|250 ok\n250 ok|354 go|250 sent|", HS_SMTP_TEMPORARY, 250, 0, 2, 0},
    {"250 ok|250 ok\n250 ok|354 go|250 sent|", HS_SMTP_TEMPORARY, 250, 0, 1, HS_SMTP_PIPELINING},
    {"250 ok|250 ok|354 go\n250 sent|", HS_SMTP_TEMPORARY, 354, 0, 1, HS_SMTP_PIPELINING},
    {"250 ok|250 ok|354 go|250 sent\n250 sent|", HS_SMTP_SENT, 250, 0, 2, HS_SMTP_PIPELINING},
    {"250 ok|250 ok|354 go|250 sent\n4", HS_SMTP_SENT, 250, 0, 2, HS_SMTP_PIPELINING},
    /* no SMTP */
    {"HTTP/1.1 400 Bad Request|", HS_SMTP_RELAY, 0, 0, 1, HS_SMTP_PIPELINING},
    {"250 ok|+OK\n", HS_SMTP_TEMPORARY, 250, 0, 1, HS_SMTP_PIPELINING},
    {"250 ok|+OK\n", HS_SMTP_TEMPORARY, 250, 0, 2, 0},
    {"250-ok\n550 no|", HS_SMTP_TEMPORARY, 250, 0, 1, HS_SMTP_PIPELINING},
    {"250 ok|250 ok|354 go|sent|", HS_SMTP_AMBIGUOUS, 354, 0, 2, HS_SMTP_PIPELINING},
};

/* The replies with whole lines where the table has a bar. */
static const char *with_lines(const char *replies, apr_pool_t *pool)
{
    char *out = apr_pcalloc(pool, 2 * strlen(replies) + 1);
    char *end = out;

    for (; *replies; replies++) {
        if (*replies == '|') {
            *end++ = '\n';
        }
        *end++ = *replies;
    }
    return out;
}

static void test_dialogues(fake *f, apr_pool_t *pool)
{
    apr_size_t i;

    for (i = 0; i < sizeof(DIALOGUES) / sizeof(*DIALOGUES); i++) {
        const char *replies = with_lines(DIALOGUES[i].replies, pool);
        hs_smtp_class class = run(f, DIALOGUES[i].offers, replies, "x\r\n");
        int in_step = hs_smtp_dialogue_is_in_step(&f->dialogue);

        tap_ok(class == DIALOGUES[i].class && f->dialogue.reply.code == DIALOGUES[i].code &&
                   in_step == DIALOGUES[i].in_step && f->sends == DIALOGUES[i].sends,
               "dialogue %d (class %d, code %d, in step %d, %d sends)", (int)i, class,
               f->dialogue.reply.code, in_step, f->sends);
    }
}

/* What must be on the wire, written as simply as can be. */
static const char *stuffed(const char *octets, apr_pool_t *pool)
{
    char *out = apr_pcalloc(pool, 2 * strlen(octets) + 6);
    apr_size_t at = 0;
    apr_size_t i;

    for (i = 0; octets[i]; i++) {
        if (octets[i] == '.' && (i == 0 || octets[i - 1] == '\n')) {
            out[at++] = '.';
        }
        out[at++] = octets[i];
    }
    if (octets[i - 1] != '\n') {
        out[at++] = '\r';
        out[at++] = '\n';
    }
    memcpy(out + at, ".\r\n", 4);
    return out;
}

static void test_body(fake *f, const char *octets, const char *name, apr_pool_t *pool)
{
    int sent = run(f, HS_SMTP_PIPELINING, ACCEPTED "|250 queued\r\n", octets) == HS_SMTP_SENT;

    tap_ok(sent && !strcmp(f->said, apr_pstrcat(pool, ENVELOPE, stuffed(octets, pool), NULL)), "%s",
           name);
}

static void test_bodies(fake *f, apr_pool_t *pool)
{
    static const char *const bodies[] = {
        ".",
        ".\r\n",
        "..\r\n",
        "x",
        "x\r\n.",
        "x\r\n.\r\n",
        "\r\n",
        "\r\n\r\n",
        ".\r\n.\r\n",
        "a.b\r\n",
        "..a\r\n.b\r\n.\r\n\r\n",
    };
    apr_size_t length;
    apr_size_t i;
    char *body;

    for (i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
        test_body(f, bodies[i], apr_psprintf(pool, "dots of body %d", (int)i), pool);
    }
    for (length = sizeof(f->dialogue.out) - 8; length < sizeof(f->dialogue.out) + 2; length++) {
        body = apr_pcalloc(pool, length + 1);
        memset(body, 'x', length);
        test_body(f, body, apr_psprintf(pool, "%d octets", (int)length), pool);
        body[length - 3] = '\r';
        body[length - 2] = '\n';
        body[length - 1] = '.';
        test_body(f, body, "  with a dot at the end", pool);
    }
    body = apr_pcalloc(pool, 30001);
    for (i = 0; i < 30000; i++) {
        body[i] = ".\r\n"[i % 3];
    }
    test_body(f, body, "10,000 dots", pool);
    tap_is_int(f->sends, 4, "  in three pieces behind the envelope");
}

/* However the octets of a reply come. */
static void test_pieces(fake *f)
{
    static const char replies[] = "250-1\r\n250 1\r\n|250 2\n|354 3\r\n|250-4\r\n250 queued\r\n";
    apr_size_t size;

    for (size = 1; size < 8; size++) {
        prepare(f, HS_SMTP_PIPELINING);
        f->at_most = size;
        tap_ok(talk(f, replies, "x\r\n") == HS_SMTP_SENT &&
                   !strcmp(f->dialogue.reply.text, "250-4 queued") &&
                   hs_smtp_dialogue_is_in_step(&f->dialogue),
               "replies that come %d octets at a time", (int)size);
    }
}

static void test_lengths(fake *f, apr_pool_t *pool)
{
    apr_size_t longest = sizeof(f->dialogue.in);
    char *line = apr_pcalloc(pool, longest + 3);
    const char *replies;

    memset(line, 'x', longest - 2);
    memcpy(line, "250 ", 4);
    memcpy(line + longest - 2, "\r\n", 2);
    replies = apr_pstrcat(pool, line, "|250 2\r\n|354 3\r\n|250 4\r\n", NULL);
    tap_is_int(run(f, HS_SMTP_PIPELINING, replies, "x\r\n"), HS_SMTP_SENT, "a long line");
    prepare(f, HS_SMTP_PIPELINING);
    f->at_most = 100;
    tap_is_int(talk(f, replies, "x\r\n"), HS_SMTP_SENT, "  that comes bit by bit");
    memcpy(line + longest - 2, "x\r\n", 3);
    replies = apr_pstrcat(pool, line, "|250 2\r\n|354 3\r\n|250 4\r\n", NULL);
    tap_is_int(run(f, HS_SMTP_PIPELINING, replies, "x\r\n"), HS_SMTP_RELAY, "one that is too long");
    tap_ok(f->dialogue.trouble && strstr(f->dialogue.trouble, "does not end"),
           "  and told as such");
    line = apr_pcalloc(pool, 8 * 2000 + 100);
    for (longest = 0; longest < 2000; longest++) {
        memcpy(line + 8 * longest, "250-abc\n", 8);
    }
    memcpy(line + 8 * longest, ACCEPTED "|250 4\r\n", sizeof(ACCEPTED "|250 4\r\n"));
    tap_is_int(run(f, HS_SMTP_PIPELINING, line, "x\r\n"), HS_SMTP_SENT, "a reply of 2,000 lines");
}

/* Whatever can't be said: the mail was handed over only if all of it was. */
static void test_lost_sends(fake *f, apr_pool_t *pool)
{
    char *body = apr_pcalloc(pool, 30001);
    int i;

    memset(body, 'x', 30000);
    for (i = 0; i < 4; i++) {
        prepare(f, HS_SMTP_PIPELINING);
        f->fails_at = i;
        tap_is_int(talk(f, ACCEPTED "|", body),
                   i == 0   ? HS_SMTP_RELAY
                   : i == 3 ? HS_SMTP_AMBIGUOUS
                            : HS_SMTP_TEMPORARY,
                   apr_psprintf(pool, "the wire breaks after %d sends", i));
        tap_ok(!hs_smtp_dialogue_is_in_step(&f->dialogue), "  and is not used again");
    }
}

static void test_times(fake *f)
{
    apr_time_t start = hs_clock_now();

    run(f, HS_SMTP_PIPELINING, ACCEPTED "|", "x\r\n");
    tap_ok(f->until >= start + PATIENCE && f->until <= hs_clock_now() + PATIENCE,
           "a reply has its time");
    f->dialogue.until = hs_clock_now() + PATIENCE / 2;
    talk(f, ACCEPTED "|", "x\r\n");
    tap_ok(f->until == f->dialogue.until, "but no more than the mail has");
}

int main(void)
{
    fake *f = calloc(1, sizeof(*f));
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_pipelining(f);
    test_dialogues(f, pool);
    test_bodies(f, pool);
    test_pieces(f);
    test_lengths(f, pool);
    test_lost_sends(f, pool);
    test_times(f);
    free(f);
    return tap_done();
}
