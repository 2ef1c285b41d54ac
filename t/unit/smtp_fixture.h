/* smtp_fixture.h - a scripted relay (t/lib/scripted-smtp.py) and one connection to it; tests that
 * use it run in the top folder. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTP_FIXTURE_H
#define SMTP_FIXTURE_H

#include "hs_smtp.h"

#include "tap.h"

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>

#include <stdlib.h>
#include <unistd.h>

#define BODY "Subject: test\r\n\r\nHello.\r\n"

/* A scripted server, its folder, and one connection to it. */
typedef struct fixture {
    apr_pool_t *pool;
    apr_proc_t server;
    const char *folder;
    int port;
    hs_smtp_opts opts;
    hs_smtp *smtp;
    hs_smtp_outcome outcome;
} fixture;

static inline const char *in_folder(const fixture *f, const char *name)
{
    return apr_pstrcat(f->pool, f->folder, "/", name, NULL);
}

static inline char *slurp(const fixture *f, const char *name)
{
    apr_file_t *file;
    apr_finfo_t info;
    apr_size_t length;
    char *text;

    if (apr_file_open(&file, in_folder(f, name), APR_READ, APR_OS_DEFAULT, f->pool) ||
        apr_file_info_get(&info, APR_FINFO_SIZE, file)) {
        return apr_pstrdup(f->pool, "");
    }
    length = (apr_size_t)info.size;
    text = apr_pcalloc(f->pool, length + 1);
    (void)apr_file_read_full(file, text, length, NULL);
    apr_file_close(file);
    return text;
}

static inline int count(const fixture *f, const char *name, const char *piece)
{
    const char *at = slurp(f, name);
    int found = 0;

    while ((at = strstr(at, piece))) {
        at += strlen(piece);
        found++;
    }
    return found;
}

/* By rename, so that the server never reads half of it. */
static inline void set_rules(const fixture *f, const char *rules)
{
    apr_file_t *file;

    apr_file_open(&file, in_folder(f, "rules.new"), APR_WRITE | APR_CREATE | APR_TRUNCATE,
                  APR_OS_DEFAULT, f->pool);
    apr_file_puts(rules, file);
    apr_file_close(file);
    apr_file_rename(in_folder(f, "rules.new"), in_folder(f, "rules"), f->pool);
}

/* Start a server with up to two arguments of its own; ends the test where that fails. */
static inline void start(fixture *f, apr_pool_t *parent, const char *rules, const char *one,
                         const char *two)
{
    const char *args[] = {"t/lib/scripted-smtp.py", NULL, "--raw", one, two, NULL};
    char line[64] = "";
    char path[] = "/tmp/hs-smtp-XXXXXX";
    apr_procattr_t *attributes;

    memset(f, 0, sizeof(*f));
    apr_pool_create(&f->pool, parent);
    f->folder = apr_pstrdup(f->pool, mkdtemp(path));
    args[1] = f->folder;
    set_rules(f, rules);
    apr_procattr_create(&attributes, f->pool);
    apr_procattr_io_set(attributes, APR_FULL_BLOCK, APR_FULL_BLOCK, APR_NO_PIPE);
    apr_procattr_cmdtype_set(attributes, APR_PROGRAM_ENV);
    if (apr_proc_create(&f->server, args[0], args, NULL, attributes, f->pool) ||
        apr_file_gets(line, sizeof(line), f->server.out) ||
        sscanf(line, "ready %d", &f->port) != 1) {
        puts("Bail out! t/lib/scripted-smtp.py does not start");
        exit(1);
    }
    f->opts.url = apr_psprintf(f->pool, "smtp://127.0.0.1:%d", f->port);
    f->opts.ehlo_name = "desk.example";
    f->opts.reply_timeout_s = 1;
}

static inline void stop(fixture *f)
{
    apr_exit_why_e why;
    apr_finfo_t info;
    apr_dir_t *folder;
    int status;

    apr_file_close(f->server.in);
    apr_proc_wait(&f->server, &status, &why, APR_WAIT);
    if (!apr_dir_open(&folder, f->folder, f->pool)) {
        while (!apr_dir_read(&info, APR_FINFO_NAME, folder)) {
            apr_file_remove(in_folder(f, info.name), f->pool); /* not "." and "..": folders */
        }
        apr_dir_close(folder);
    }
    apr_dir_remove(f->folder, f->pool);
    apr_pool_destroy(f->pool);
}

static inline hs_smtp_class send_to(fixture *f, const char *recipient, const char *octets)
{
    hs_smtp_mail mail = {"", recipient, octets, strlen(octets)};

    if (!f->smtp) {
        hs_error *error = hs_smtp_create(&f->smtp, &f->opts, f->pool);

        if (error) {
            printf("Bail out! %s\n", error->text);
            exit(1);
        }
    }
    hs_smtp_send(&f->outcome, f->smtp, &mail);
    return f->outcome.class;
}

static inline void is_outcome(const fixture *f, hs_smtp_class class, int code, const char *reply,
                              const char *name)
{
    int fits = f->outcome.class == class && f->outcome.code == code &&
               strstr(f->outcome.reply, reply) != NULL;

    tap_ok(fits, "%s", name);
    if (!fits) {
        printf("#      got: class %d, code %d, %s\n", f->outcome.class, f->outcome.code,
               f->outcome.reply);
    }
}

static inline int now_ms(void)
{
    return (int)(apr_time_now() / 1000 % 1000000000);
}

#endif
