/* hs_journal.c - layer 2: which mails a relay has taken, in a file that outlives this process. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_journal.h"

#include "hs_random.h"

#include <apr_strings.h>

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#define MAGIC "mod_helpsupport journal 2"
#define OWNER_OCTETS 16

typedef struct slot {
    atomic_int is_full; /* written last */
    hs_journal_entry entry;
} slot;

typedef struct image {
    char magic[32]; /* written last */
    char owner[2 * OWNER_OCTETS + 1];
    slot slots[HS_JOURNAL_SLOTS];
} image;

struct hs_journal {
    image *image;
};

static apr_status_t unmap(void *data)
{
    munmap(data, sizeof(image));
    return APR_SUCCESS;
}

/* Returns whether the image is a journal now. */
static int make_anew(image *made, apr_pool_t *pool)
{
    const char *owner = hs_random_hex(OWNER_OCTETS, pool);

    if (!owner) {
        return 0;
    }
    memset(made, 0, sizeof(*made));
    memcpy(made->owner, owner, sizeof(made->owner));
    memcpy(made->magic, MAGIC, sizeof(MAGIC));
    return 1;
}

hs_error *hs_journal_open(hs_journal **out, int fd, apr_pool_t *pool)
{
    hs_journal *journal = apr_palloc(pool, sizeof(*journal));
    /* not ftruncate: a full disk would be a SIGBUS in the middle of a mail */
    int rv = posix_fallocate(fd, 0, sizeof(image));

    *out = NULL;
    journal->image =
        rv ? MAP_FAILED : mmap(NULL, sizeof(image), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (journal->image == MAP_FAILED) {
        rv = rv ? rv : errno;
        return hs_error_make(pool, HS_UNAVAILABLE, "the journal can't be used: %pm", (void *)&rv);
    }
    apr_pool_cleanup_register(pool, journal->image, unmap, apr_pool_cleanup_null);
    if (memcmp(journal->image->magic, MAGIC, sizeof(MAGIC)) != 0 &&
        !make_anew(journal->image, pool)) {
        return hs_error_make(pool, HS_UNAVAILABLE, "the system gives no random octets");
    }
    *out = journal;
    return NULL;
}

const char *hs_journal_owner(const hs_journal *journal)
{
    return journal->image->owner;
}

int hs_journal_read(const hs_journal *journal, int index, hs_journal_entry *entry)
{
    slot *s = &journal->image->slots[index];

    if (!atomic_load(&s->is_full)) {
        return 0;
    }
    *entry = s->entry;
    entry->lease[sizeof(entry->lease) - 1] = '\0';
    entry->text[sizeof(entry->text) - 1] = '\0';
    return 1;
}

void hs_journal_note(hs_journal *journal, int index, apr_int64_t id, const char *lease,
                     const char *text)
{
    slot *s = &journal->image->slots[index];

    s->entry.id = id;
    apr_cpystrn(s->entry.lease, lease, sizeof(s->entry.lease));
    apr_cpystrn(s->entry.text, text, sizeof(s->entry.text));
    atomic_store(&s->is_full, 1);
}

void hs_journal_clear(hs_journal *journal, int index)
{
    atomic_store(&journal->image->slots[index].is_full, 0);
}
