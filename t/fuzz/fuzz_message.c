/* fuzz_message.c - From, To, Subject, Message-ID, text and HTML, NUL between them; what is composed
 * has exactly our headers, is 7-bit with short lines, and carries the text unchanged. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "hs_message.h"

#include <apr_general.h>
#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>

#define FIELDS 6
#define BODY_LINE_MAX 76
#define HEADER_LINE_MAX 330 /* an address of 254 octets is not cut */

static void require(int holds)
{
    if (!holds) {
        abort();
    }
}

/* Check each line of `text` up to the first empty one; returns what is behind it. */
static const char *check_headers(const char *text)
{
    static const char *const known[] = {
        "From:",        "To:",           "Subject:",        "Date:",
        "Message-ID:",  "MIME-Version:", "Auto-Submitted:", "X-Auto-Response-Suppress:",
        "Content-Type:"};
    size_t next = 0;
    size_t length;

    for (; *text != '\r'; text += length + 2) {
        length = strcspn(text, "\r\n");
        require(length <= HEADER_LINE_MAX && text[length] == '\r' && text[length + 1] == '\n');
        if (*text == ' ') {
            require(strspn(text, " ") < length);
            continue;
        }
        require(next < sizeof(known) / sizeof(*known));
        require(strncmp(text, known[next], strlen(known[next])) == 0);
        next++;
    }
    require(next == sizeof(known) / sizeof(*known));
    return text + 2;
}

static void check_body(const char *text)
{
    size_t length;
    size_t i;

    for (; *text; text += length + 2) {
        length = strcspn(text, "\r\n");
        require(length <= BODY_LINE_MAX && text[length] == '\r' && text[length + 1] == '\n');
        require(*text != '.' && strncmp(text, "From ", 5) != 0);
        require(length == 0 || text[length - 1] != ' ');
        for (i = 0; i < length; i++) {
            require((text[i] >= ' ' && text[i] <= '~') || text[i] == '\t');
        }
    }
}

static int hex(char octet)
{
    return octet <= '9' ? octet - '0' : octet - 'A' + 10;
}

/* Undo quoted-printable from `body` on and compare with `text`, whose line ends may be of any kind.
 */
static void check_text(const char *body, const char *text)
{
    for (; *text; text++) {
        if (strncmp(body, "=\r\n", 3) == 0) {
            body += 3;
        }
        if (*text == '\r' || *text == '\n') {
            require(strncmp(body, "\r\n", 2) == 0);
            body += 2;
            text += text[0] == '\r' && text[1] == '\n';
        } else if (*body == '=') {
            require((char)(hex(body[1]) * 16 + hex(body[2])) == *text);
            body += 3;
        } else {
            require(*body++ == *text);
        }
    }
    require(strncmp(body, "\r\n--=_", 6) == 0);
}

static void check_message(const hs_message *message, apr_pool_t *pool)
{
    const char *body;
    hs_buffer out;

    hs_buffer_init(&out, 1, pool);
    if (hs_message_compose(&out, message, pool)) {
        require(out.length == 0);
        return;
    }
    require(strlen(out.data) == out.length);
    body = check_headers(out.data);
    check_body(body);
    body = strstr(body, "\r\n\r\n");
    require(body != NULL);
    check_text(body + 4, message->text);
    body = strstr(body + 4, "\r\n--=_");
    require(body != NULL);
    body = strstr(body, "\r\n\r\n");
    require(body != NULL);
    check_text(body + 4, message->html);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static apr_pool_t *root;
    apr_pool_t *pool;
    const char *fields[FIELDS];
    const char *end;
    hs_mailbox from;
    hs_message message;
    int i;

    if (!root) {
        apr_initialize();
        apr_pool_create(&root, NULL);
    }
    apr_pool_create(&pool, root);
    fields[0] = apr_pstrmemdup(pool, (const char *)data, size);
    end = fields[0] + size;
    for (i = 1; i < FIELDS; i++) {
        fields[i] = fields[i - 1] + strlen(fields[i - 1]);
        fields[i] += fields[i] < end;
    }
    if (!hs_mailbox_read(&from, fields[0], pool)) {
        message = (hs_message){.from = &from,
                               .to = fields[1],
                               .subject = fields[2],
                               .message_id = fields[3],
                               .date_us = (apr_time_t)size * APR_USEC_PER_SEC * 86399,
                               .text = fields[4],
                               .html = fields[5]};
        check_message(&message, pool);
    }
    apr_pool_destroy(pool);
    return 0;
}
