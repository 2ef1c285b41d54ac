/* test_journal.c - what a killed process had sent. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_journal.h"

#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int make_file(void)
{
    char path[] = "/tmp/hs-journal-XXXXXX";
    int fd = mkstemp(path);

    unlink(path);
    return fd;
}

static hs_journal *open_it(int fd, apr_pool_t *pool)
{
    hs_journal *journal;
    hs_error *error = hs_journal_open(&journal, fd, pool);

    tap_is_str(error ? error->text : NULL, NULL, "opens");
    return journal;
}

static void test_slots(apr_pool_t *pool)
{
    hs_journal *journal = open_it(make_file(), pool);
    hs_journal_entry entry;
    char text[400];
    int full = 0;

    for (int i = 0; i < HS_JOURNAL_SLOTS; i++) {
        full += hs_journal_read(journal, i, &entry);
    }
    tap_is_int(full, 0, "a new one is empty");
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    hs_journal_note(journal, 255, 42, "lease", text);
    tap_is_int(hs_journal_read(journal, 255, &entry), 1, "a note is read again");
    tap_is_int(entry.id, 42, "its id");
    tap_is_str(entry.lease, "lease", "its lease");
    tap_is_int((apr_int64_t)strlen(entry.text), HS_JOURNAL_TEXT_SIZE - 1, "its text, cut");
    hs_journal_clear(journal, 255);
    tap_is_int(hs_journal_read(journal, 255, &entry), 0, "cleared");
}

static void test_kill(apr_pool_t *pool)
{
    int fd = make_file();
    pid_t pid = fork();
    hs_journal_entry entry;
    hs_journal *journal;
    int status;

    if (pid == 0) {
        if (!hs_journal_open(&journal, fd, pool)) {
            hs_journal_note(journal, 3, 7, "token", "250 Ok");
        }
        kill(getpid(), SIGKILL);
    }
    waitpid(pid, &status, 0);
    journal = open_it(fd, pool);
    tap_is_int(hs_journal_read(journal, 3, &entry), 1, "what a killed process noted is there");
    tap_ok(entry.id == 7 && strcmp(entry.lease, "token") == 0 && strcmp(entry.text, "250 Ok") == 0,
           "all of it");
}

/* It tells one process's successor from another node. */
static void test_owner(apr_pool_t *pool)
{
    int fd = make_file();
    const char *owner = apr_pstrdup(pool, hs_journal_owner(open_it(fd, pool)));

    tap_is_int((apr_int64_t)strlen(owner), 32, "a journal names its owner");
    tap_is_str(hs_journal_owner(open_it(fd, pool)), owner, "the same each time");
    tap_ok(strcmp(hs_journal_owner(open_it(make_file(), pool)), owner) != 0,
           "another file names another");
}

static void test_others(apr_pool_t *pool)
{
    int fd = make_file();
    char garbage[65536];
    hs_journal_entry entry;
    hs_journal *journal;
    hs_error *error;
    int full = 0;

    memset(garbage, 0xFF, sizeof(garbage));
    tap_is_int(write(fd, garbage, sizeof(garbage)), sizeof(garbage), "a file that is no journal");
    journal = open_it(fd, pool);
    for (int i = 0; i < HS_JOURNAL_SLOTS; i++) {
        full += hs_journal_read(journal, i, &entry);
    }
    tap_is_int(full, 0, "counts as empty");
    error = hs_journal_open(&journal, open("/dev/null", O_RDWR), pool);
    tap_ok(error && error->code == HS_UNAVAILABLE && !journal, "what can't be mapped is an error");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_slots(pool);
    test_kill(pool);
    test_owner(pool);
    test_others(pool);
    return tap_done();
}
