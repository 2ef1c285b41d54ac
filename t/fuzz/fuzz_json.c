/* fuzz_json.c - any octets as the body of a submission; what is accepted must survive a round trip
 * through what is written. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "hs_json.h"

#include <apr_general.h>

#include <stdlib.h>
#include <string.h>

static void require(int holds)
{
    if (!holds) {
        abort();
    }
}

static void check_written(const hs_ticket *ticket, apr_pool_t *pool)
{
    hs_submission again;
    hs_buffer out;

    hs_buffer_init(&out, 1, pool);
    hs_json_put_submitted(&out, ticket);
    require(!hs_json_read_submission(&again, out.data, out.length, pool));
    require(strcmp(again.name.text, ticket->name) == 0);
    require(strcmp(again.phone_number.text, ticket->phone_number) == 0);
    require(strcmp(again.email.text, ticket->email) == 0);
    require(strcmp(again.message.text, ticket->message) == 0);
}

static void check_body(const char *body, size_t length, apr_pool_t *pool)
{
    hs_problem *problem = hs_problem_make(422, NULL, pool);
    hs_ticket ticket = {.id = "", .user_id = ""};
    hs_submission submission;

    if (hs_json_read_submission(&submission, body, length, pool)) {
        return;
    }
    hs_ticket_accept(&ticket, problem, &submission, pool);
    if (problem->faults->nelts == 0) {
        check_written(&ticket, pool);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static apr_pool_t *root;
    apr_pool_t *pool;

    if (!root) {
        apr_initialize();
        apr_pool_create(&root, NULL);
    }
    apr_pool_create(&pool, root);
    check_body((const char *)data, size, pool);
    apr_pool_destroy(pool);
    return 0;
}
