/* list_model.h - lists as they should be, computed from all tickets without a database. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIST_MODEL_H
#define LIST_MODEL_H

#include "store_fixture.h"

#include "hs_email.h"
#include "hs_utf8.h"

static inline const hs_ticket *model_at(const apr_array_header_t *tickets, int i)
{
    return APR_ARRAY_IDX(tickets, i, const hs_ticket *);
}

/* Whether `text` begins with `word`, ignoring the case of ASCII letters. */
static inline int model_begins_with(const char *text, const char *word)
{
    for (; *word; word++, text++) {
        int a = *text >= 'A' && *text <= 'Z' ? *text + 32 : *text;
        int b = *word >= 'A' && *word <= 'Z' ? *word + 32 : *word;

        if (a != b) {
            return 0;
        }
    }
    return 1;
}

static inline int model_has_word(const hs_ticket *ticket, const char *word, apr_pool_t *pool)
{
    const char *all =
        apr_pstrcat(pool, ticket->name, " ", ticket->email, " ", ticket->message, NULL);
    const apr_array_header_t *found = hs_utf8_words(all, pool);

    for (int i = 0; i < found->nelts; i++) {
        if (model_begins_with(APR_ARRAY_IDX(found, i, const char *), word)) {
            return 1;
        }
    }
    return 0;
}

static inline int model_matches(const hs_ticket *ticket, const hs_list *list, apr_pool_t *pool)
{
    if ((list->statuses && !(list->statuses & (1u << ticket->status))) ||
        (list->user_id && strcmp(list->user_id, ticket->user_id) != 0) ||
        (list->email && strcmp(list->email, hs_email_fold(ticket->email, pool)) != 0) ||
        (list->has_created_after && ticket->created_us < list->created_after_us) ||
        (list->has_created_before && ticket->created_us >= list->created_before_us) ||
        (list->has_updated_after && ticket->updated_us < list->updated_after_us)) {
        return 0;
    }
    for (int i = 0; list->words && i < list->words->nelts; i++) {
        if (!model_has_word(ticket, APR_ARRAY_IDX(list->words, i, const char *), pool)) {
            return 0;
        }
    }
    return 1;
}

static inline apr_int64_t model_key(const hs_ticket *ticket, hs_sort sort)
{
    return sort == HS_SORT_UPDATED ? ticket->updated_us : ticket->created_us;
}

/* Whether `one` comes before `other` in the list's order. */
static inline int model_comes_first(const hs_ticket *one, const hs_ticket *other,
                                    const hs_list *list)
{
    apr_int64_t a = model_key(one, list->sort);
    apr_int64_t b = model_key(other, list->sort);

    if (a == b) {
        a = one->number;
        b = other->number;
    }
    return list->descending ? a > b : a < b;
}

/* All tickets that the list should have, in order. */
static inline apr_array_header_t *model_list(const apr_array_header_t *all, const hs_list *list,
                                             apr_pool_t *pool)
{
    apr_array_header_t *out = apr_array_make(pool, all->nelts, sizeof(const hs_ticket *));

    for (int i = 0; i < all->nelts; i++) {
        const hs_ticket **tickets;
        int place = out->nelts;

        if (!model_matches(model_at(all, i), list, pool)) {
            continue;
        }
        APR_ARRAY_PUSH(out, const hs_ticket *) = model_at(all, i);
        tickets = (const hs_ticket **)out->elts;
        while (place > 0 && model_comes_first(model_at(all, i), tickets[place - 1], list)) {
            tickets[place] = tickets[place - 1];
            place--;
        }
        tickets[place] = model_at(all, i);
    }
    return out;
}

static inline int model_same_total(const hs_page *page, const hs_list *list, int total)
{
    if (list->count == HS_COUNT_EXACT || total <= list->count_cap) {
        return page->total == total && !page->total_is_capped;
    }
    return page->total == list->count_cap && page->total_is_capped;
}

/* Whether `page` is what stands from `skip` on. */
static inline int model_same_page(const hs_page *page, const apr_array_header_t *want, int skip,
                                  int limit)
{
    int rest = want->nelts > skip ? want->nelts - skip : 0;
    int count = rest < limit ? rest : limit;

    if (page->tickets->nelts != count || page->has_more != (rest > limit)) {
        return 0;
    }
    for (int i = 0; i < count; i++) {
        const hs_ticket *got = model_at(page->tickets, i);
        const hs_ticket *wanted = model_at(want, skip + i);

        if (got->number != wanted->number || strcmp(got->id, wanted->id) != 0 ||
            strcmp(got->message, wanted->message) != 0 || got->version != wanted->version) {
            return 0;
        }
    }
    return 1;
}

static inline int model_follow(fixture *f, hs_list *list, const apr_array_header_t *want,
                               apr_pool_t *pool)
{
    int seen = 0;

    for (;;) {
        hs_page page;
        const hs_ticket *last;

        if (!fixture_worked(hs_store_list(f->store, &page, list, pool)) ||
            !model_same_page(&page, want, seen, list->limit) ||
            !model_same_total(&page, list, want->nelts)) {
            return 0;
        }
        seen += page.tickets->nelts;
        if (!page.has_more) {
            return seen == want->nelts;
        }
        last = model_at(page.tickets, page.tickets->nelts - 1);
        list->has_cursor = 1;
        list->cursor_us = model_key(last, list->sort);
        list->cursor_number = last->number;
    }
}

#endif
