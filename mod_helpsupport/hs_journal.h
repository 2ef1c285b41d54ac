/* hs_journal.h - layer 1: which mails a relay has taken, in a file that outlives this process. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HS_JOURNAL_H
#define HS_JOURNAL_H

#include "hs_error.h"

#define HS_JOURNAL_SLOTS 256
#define HS_JOURNAL_LEASE_SIZE 64
#define HS_JOURNAL_TEXT_SIZE 256

/* Between a relay's "250" and the commit that says so lies the time in which a kill -9 makes a mail
 * go out twice. Noting it here first takes a microsecond, and the next process reads it. Mapped
 * memory: written without a system call; a killed process loses none of it, a machine that loses
 * power may, and then a mail goes out twice. */
typedef struct hs_journal hs_journal;

typedef struct hs_journal_entry {
    apr_int64_t id;
    char lease[HS_JOURNAL_LEASE_SIZE];
    char text[HS_JOURNAL_TEXT_SIZE];
} hs_journal_entry;

/* Map the file `fd`, open for reading and writing, which is made as large as it must be; what it
 * held that isn't a journal is dropped. One process at a time. It stays mapped until `pool` is
 * cleaned up, and `fd` stays the caller's. HS_UNAVAILABLE, and *journal NULL. */
hs_error *hs_journal_open(hs_journal **journal, int fd, apr_pool_t *pool) HS_MUSTCHECK;

/* Who writes it: random text, made with the file. So only who has the file is taken for the process
 * that wrote it, whatever else two machines have in common. */
const char *hs_journal_owner(const hs_journal *journal);

/* Copy what stands in `slot`. Returns 1, or 0 where nothing does. */
int hs_journal_read(const hs_journal *journal, int slot, hs_journal_entry *entry);

/* Write into a free slot; longer strings are cut, a lease isn't longer. Thread: any, one at a time
 * for one slot. */
void hs_journal_note(hs_journal *journal, int slot, apr_int64_t id, const char *lease,
                     const char *text);

/* Free it: the database has it. The same threads. */
void hs_journal_clear(hs_journal *journal, int slot);

#endif
