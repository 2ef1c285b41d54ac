/* pools.c - preloaded: APR pools in which every block is a malloc of its own, for sanitizers. */
/* SPDX-License-Identifier: Apache-2.0 */
/* APR cuts blocks out of 8 KB pieces and keeps these for later pools, so that AddressSanitizer sees
 * neither an overrun nor a use after apr_pool_destroy(). With this it sees both (but for strings
 * of apr_psprintf(), which writes into the pool's piece directly). An APR that was configured with
 * --enable-pool-debug does the same, but is no package, and httpd would have to be built for it. */
#include <apr_pools.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#define BUCKET_COUNT 4096u

typedef struct block {
    struct block *next;
    void *memory;
} block;

typedef struct owner {
    struct owner *next;
    const apr_pool_t *pool;
    block *blocks;
} owner;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static owner *buckets[BUCKET_COUNT];

static owner **find(const apr_pool_t *pool)
{
    owner **at = &buckets[((uintptr_t)pool >> 5) % BUCKET_COUNT];

    while (*at && (*at)->pool != pool) {
        at = &(*at)->next;
    }
    return at;
}

static owner *find_or_add(const apr_pool_t *pool)
{
    owner **at;

    pthread_mutex_lock(&mutex);
    at = find(pool);
    if (!*at) {
        *at = calloc(1, sizeof(**at));
        (*at)->pool = pool;
    }
    pthread_mutex_unlock(&mutex);
    return *at;
}

static void forget(const apr_pool_t *pool, const owner *only)
{
    owner **at;

    pthread_mutex_lock(&mutex);
    at = find(pool);
    if (*at && (!only || *at == only)) {
        *at = (*at)->next;
    }
    pthread_mutex_unlock(&mutex);
}

static void free_blocks(owner *of)
{
    while (of->blocks) {
        block *first = of->blocks;

        of->blocks = first->next;
        free(first->memory);
        free(first);
    }
}

void *apr_palloc(apr_pool_t *pool, apr_size_t size)
{
    owner *of = find_or_add(pool);
    block *added = malloc(sizeof(*added));

    /* No lock: APR lets only one thread at a time allocate from a pool. */
    added->memory = malloc(size);
    added->next = of->blocks;
    of->blocks = added;
    return added->memory;
}

/* What this file stands in front of. POSIX wants the detour over void **. */
static void call_real(const char *name, apr_pool_t *pool)
{
    void (*real)(apr_pool_t *);

    *(void **)&real = dlsym(RTLD_NEXT, name);
    real(pool);
}

void apr_pool_clear(apr_pool_t *pool)
{
    owner *of = find_or_add(pool);

    /* Afterwards, since the pool's cleanups may still use and allocate blocks. */
    call_real("apr_pool_clear", pool);
    free_blocks(of);
}

void apr_pool_destroy(apr_pool_t *pool)
{
    owner *of = find_or_add(pool);

    call_real("apr_pool_destroy", pool);
    /* Another thread may have made a pool at the same address by now: that one is not ours. */
    forget(pool, of);
    free_blocks(of);
    free(of);
}

apr_status_t apr_pool_create_ex(apr_pool_t **pool, apr_pool_t *parent, apr_abortfunc_t abort_fn,
                                apr_allocator_t *allocator)
{
    apr_status_t (*real)(apr_pool_t **, apr_pool_t *, apr_abortfunc_t, apr_allocator_t *);
    apr_status_t status;

    *(void **)&real = dlsym(RTLD_NEXT, "apr_pool_create_ex");
    status = real(pool, parent, abort_fn, allocator);
    if (status == APR_SUCCESS) {
        forget(*pool, NULL);
    }
    return status;
}
