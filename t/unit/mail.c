/* mail.c - composes mails from arguments, for t/50-message.t, t/55-mail-checks.t and t/preview. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_confirmation.h"

#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>

#include <stdio.h>
#include <string.h>

#define EXAMPLE_US APR_INT64_C(1751630400000000) /* 2025-07-04T12:00:00Z */

static const char usage[] =
    "usage: mail compose KEY=VALUE...           from, reply_to, to, subject, message_id, date_us,\n"
    "                                           text, html (@FILE is read from a file)\n"
    "       mail confirm FOLDER KEY=VALUE...    language, accept, name, message, site, url, from,\n"
    "                                           reply_to, to, number\n";

/* The value of KEY=VALUE among the arguments, else `otherwise`. */
static const char *option(char *const *arguments, const char *key, const char *otherwise)
{
    size_t length = strlen(key);

    for (; *arguments; arguments++) {
        if (strncmp(*arguments, key, length) == 0 && (*arguments)[length] == '=') {
            return *arguments + length + 1;
        }
    }
    return otherwise;
}

/* `value`, or what the file holds that "@FILE" names; NULL where that can't be read. */
static const char *content(const char *value, apr_pool_t *pool)
{
    apr_file_t *file;
    apr_finfo_t info;
    apr_size_t length;
    char *text;

    if (*value != '@') {
        return value;
    }
    if (apr_file_open(&file, value + 1, APR_FOPEN_READ, 0, pool) ||
        apr_file_info_get(&info, APR_FINFO_SIZE, file)) {
        return NULL;
    }
    length = (apr_size_t)info.size;
    text = apr_pcalloc(pool, length + 1);
    return apr_file_read_full(file, text, length, NULL) ? NULL : text;
}

static int finish(const hs_error *error, const hs_buffer *out)
{
    if (error) {
        fprintf(stderr, "%s\n", error->text);
        return 1;
    }
    return fwrite(out->data, 1, out->length, stdout) != out->length;
}

static hs_error *read_mailboxes(hs_mailbox *from, hs_mailbox *reply_to, char *const *arguments,
                                apr_pool_t *pool)
{
    const char *other = option(arguments, "reply_to", NULL);
    hs_error *error = hs_mailbox_read(
        from, option(arguments, "from", "Example Support <support@example.com>"), pool);

    return error || !other ? error : hs_mailbox_read(reply_to, other, pool);
}

static int compose(char *const *arguments, apr_pool_t *pool)
{
    hs_mailbox from;
    hs_mailbox reply_to = {NULL, NULL};
    hs_message message;
    hs_buffer out;
    hs_error *error = read_mailboxes(&from, &reply_to, arguments, pool);

    hs_buffer_init(&out, 1, pool);
    message.from = &from;
    message.reply_to = reply_to.address ? &reply_to : NULL;
    message.to = option(arguments, "to", "jane@example.com");
    message.subject = option(arguments, "subject", "Subject");
    message.date_us = apr_strtoi64(option(arguments, "date_us", "1751630400000000"), NULL, 10);
    message.message_id = option(arguments, "message_id", "hs.1.confirmation.0a1b@example.com");
    message.text = content(option(arguments, "text", "Text"), pool);
    message.html = content(option(arguments, "html", "<p>HTML</p>"), pool);
    if (!message.text || !message.html) {
        return 2;
    }
    return finish(error ? error : hs_message_compose(&out, &message, pool), &out);
}

static int confirm(const char *folder, char *const *arguments, apr_pool_t *pool)
{
    hs_mailbox from;
    hs_mailbox reply_to = {NULL, NULL};
    hs_confirmation_opts opts = {.folder = folder, .from = &from};
    hs_confirmation *confirmation;
    hs_ticket ticket = {.id = "0197d54e-ca7b-7000-8000-000000000000", .created_us = EXAMPLE_US};
    hs_confirmation_mail mail = {.ticket = &ticket};
    hs_buffer out;
    hs_error *error = read_mailboxes(&from, &reply_to, arguments, pool);

    opts.site_name = option(arguments, "site", "Example");
    opts.site_url = option(arguments, "url", NULL);
    opts.reply_to = reply_to.address ? &reply_to : NULL;
    opts.echo_message = option(arguments, "message", NULL) != NULL;
    hs_buffer_init(&out, 1, pool);
    error = error ? error : hs_confirmation_load(&confirmation, &opts, pool);
    if (error) {
        return finish(error, &out);
    }
    ticket.number = apr_strtoi64(option(arguments, "number", "42"), NULL, 10);
    ticket.name = option(arguments, "name", NULL);
    ticket.message = content(option(arguments, "message", ""), pool);
    ticket.email = option(arguments, "to", "jane@example.com");
    mail.message_id = "hs.42.confirmation.0a1b2c3d@example.com";
    mail.language = option(arguments, "language", NULL);
    if (!mail.language) {
        mail.language =
            hs_confirmation_language(confirmation, option(arguments, "accept", NULL), pool);
    }
    return finish(hs_confirmation_render(confirmation, &out, &mail, pool), &out);
}

int main(int argc, char **argv)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    if (argc >= 2 && strcmp(argv[1], "compose") == 0) {
        return compose(argv + 2, pool);
    }
    if (argc >= 3 && strcmp(argv[1], "confirm") == 0) {
        return confirm(argv[2], argv + 3, pool);
    }
    fputs(usage, stderr);
    return 2;
}
