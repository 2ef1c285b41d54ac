/* hs_confirmation.c - layer 5: the mail that confirms a ticket: templates, language, composition.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_confirmation.h"

#include "hs_escape.h"
#include "hs_language.h"
#include "hs_template_set.h"
#include "hs_time.h"
#include "hs_utf8.h"

#include <apr_strings.h>
#include <apr_thread_mutex.h>

#include <string.h>

#define STEM "confirmation"
#define NAME_MAX_CODE_POINTS 40
#define TYPICAL_ECHO_OCTETS 1024

/* Indexes of names[] and of the values of one rendering. */
enum {
    TICKET_ID,
    TICKET_NUMBER,
    TICKET_STATUS,
    TICKET_CREATED_AT,
    TICKET_DATE,
    NAME,
    MESSAGE,
    SITE_NAME,
    SITE_URL,
    SUPPORT_EMAIL,
    LANG,
    NAME_COUNT
};

static const hs_template_name name_list[NAME_COUNT] = {
    [TICKET_ID] = {"ticket.id", 0},
    [TICKET_NUMBER] = {"ticket.number", 0},
    [TICKET_STATUS] = {"ticket.status", 0},
    [TICKET_CREATED_AT] = {"ticket.created_at", 0}, /* as the API writes it */
    [TICKET_DATE] = {"ticket.date", 0},             /* for people: "2025-07-04 12:00 UTC" */
    [NAME] = {"name", 0},
    [MESSAGE] = {"message", 0},
    [SITE_NAME] = {"site.name", 0},
    [SITE_URL] = {"site.url", 1},
    [SUPPORT_EMAIL] = {"support.email", 0},
    [LANG] = {"lang", 0},
};

static const hs_template_names names = {name_list, NAME_COUNT};

/* A set of templates that some threads are rendering with. */
typedef struct loaded {
    apr_pool_t *pool; /* its own root, so that it can go while others live on */
    hs_template_set *set;
    int users;
} loaded;

struct hs_confirmation {
    hs_confirmation_opts opts;
    hs_template_place place;
    apr_thread_mutex_t *mutex; /* guards what follows, and loaded->users */
    loaded *current;
    apr_uint64_t signature; /* of what was last tried, good or bad */
    apr_time_t checked_us;
};

/* The name as far as it may be repeated, or NULL. */
static const char *presentable_name(const char *name, apr_pool_t *pool)
{
    hs_buffer inert;

    if (!name || !hs_utf8_is_name(name) || hs_utf8_length(name) > NAME_MAX_CODE_POINTS) {
        return NULL;
    }
    hs_buffer_init(&inert, NAME_MAX_CODE_POINTS * 4, pool);
    hs_escape_inert(&inert, name);
    return inert.data;
}

static const char *presentable_message(const char *message, apr_pool_t *pool)
{
    hs_buffer clean;
    hs_buffer inert;

    if (!message) {
        return NULL;
    }
    /* first: what escaping leaves out later must not have kept a "://" or ".com" apart; a name
     * holds nothing of that kind */
    hs_buffer_init(&clean, TYPICAL_ECHO_OCTETS, pool);
    hs_escape_text(&clean, message);
    hs_buffer_init(&inert, TYPICAL_ECHO_OCTETS, pool);
    hs_escape_inert(&inert, clean.data);
    return inert.data;
}

static void set_values(const char **values, const hs_confirmation_opts *opts,
                       const hs_ticket *ticket, apr_pool_t *pool)
{
    char *created_at = apr_palloc(pool, HS_TIME_SIZE);

    hs_time_format(created_at, ticket->created_us);
    values[TICKET_ID] = ticket->id;
    values[TICKET_NUMBER] = apr_psprintf(pool, "%" APR_INT64_T_FMT, ticket->number);
    values[TICKET_STATUS] = hs_status_name(HS_STATUS_OPEN);
    values[TICKET_CREATED_AT] = created_at;
    values[TICKET_DATE] = apr_psprintf(pool, "%.10s %.5s UTC", created_at, created_at + 11);
    values[NAME] = presentable_name(ticket->name, pool);
    values[MESSAGE] = opts->echo_message ? presentable_message(ticket->message, pool) : NULL;
    values[SITE_NAME] = opts->site_name;
    values[SITE_URL] = opts->site_url;
    values[SUPPORT_EMAIL] = opts->reply_to ? opts->reply_to->address : NULL;
}

static const char *choose_language(const hs_template_set *set, const char *wanted)
{
    const char *chosen = hs_language_choose(wanted, hs_template_set_languages(set));

    return chosen ? chosen : HS_CONFIRMATION_LANGUAGE;
}

static hs_error *render(const hs_template_set *set, const hs_confirmation_opts *opts,
                        hs_buffer *out, const hs_confirmation_mail *mail, apr_pool_t *pool)
{
    const char *values[NAME_COUNT];
    hs_template_parts parts;
    hs_message message;
    hs_error *error;

    values[LANG] = choose_language(set, mail->language);
    set_values(values, opts, mail->ticket, pool);
    error = hs_template_set_render(set, values[LANG], values, &parts, pool);
    if (error) {
        return error;
    }
    message.from = opts->from;
    message.reply_to = opts->reply_to;
    message.to = mail->ticket->email;
    message.subject = parts.subject;
    message.date_us = mail->ticket->created_us;
    message.message_id = mail->message_id;
    message.text = parts.text;
    message.html = parts.html;
    return hs_message_compose(out, &message, pool);
}

/* Render `language` with values of every kind: all set and awkward, as few as can be, the site's
 * own. */
static hs_error *try_language(const hs_template_set *set, const hs_confirmation_opts *own,
                              const char *language, apr_pool_t *pool)
{
    static const hs_mailbox mailbox = {"Help & Support", "support@example.com"};
    static const hs_ticket full = {.id = "0198c1f2-0000-7000-8000-000000000000",
                                   .number = APR_INT64_MAX,
                                   .name = "Se\xC3\xA1n O'Brien-Smith Jr.",
                                   .email = "jane@example.com",
                                   .message = "<b>\"&amp;\"</b>\r\n.\n\xF0\x9F\x98\x80"};
    static const hs_ticket bare = {.id = "0198c1f2-0000-7000-8000-000000000000",
                                   .number = 1,
                                   .name = "<script>",
                                   .email = "jane@example.com",
                                   .message = "x"};
    const hs_confirmation_opts all = {own->folder, "A & B \"C\"", "https://example.com/?a=1&b=2",
                                      &mailbox,    &mailbox,      1};
    const hs_confirmation_opts few = {own->folder, "example.com", NULL, &mailbox, NULL, 0};
    const hs_confirmation_opts *const opts[] = {&all, &few, own};
    hs_confirmation_mail mail = {&full, language, "hs.test@example.com"};
    hs_error *error = NULL;
    hs_buffer out;
    int i;

    for (i = 0; i < 3 && !error; i++) {
        hs_buffer_init(&out, 1, pool);
        mail.ticket = i == 1 ? &bare : &full;
        error = render(set, opts[i], &out, &mail, pool);
    }
    if (error && error->code != HS_CONFIGURATION) {
        return hs_error_make(pool, HS_CONFIGURATION, "%s/" STEM ".*:1:1: test mail in \"%s\": %s",
                             own->folder, language, error->text);
    }
    return error;
}

static hs_error *try_all(const hs_template_set *set, const hs_confirmation_opts *opts,
                         apr_pool_t *pool)
{
    const apr_array_header_t *languages = hs_template_set_languages(set);
    hs_error *error = NULL;
    int i;

    for (i = 0; i < languages->nelts && !error; i++) {
        error = try_language(set, opts, APR_ARRAY_IDX(languages, i, const char *), pool);
    }
    return error;
}

/* Load and try what the folder holds now. The error is in `pool`. The set's pool has an allocator
 * of its own: sets are made and freed by whichever thread it happens to be, and the memory of an
 * old one goes back to the system. */
static hs_error *load(const hs_confirmation *confirmation, loaded **made, apr_pool_t *pool)
{
    apr_allocator_t *allocator;
    apr_pool_t *own;
    hs_template_set *set;
    hs_error *error;

    apr_allocator_create(&allocator);
    apr_pool_create_unmanaged_ex(&own, NULL, allocator);
    apr_allocator_owner_set(allocator, own);
    error = hs_template_set_load(&set, &confirmation->place, &names, own);
    if (!error) {
        error = try_all(set, &confirmation->opts, pool);
    }
    if (error) {
        error = hs_error_make(pool, error->code, "%s", error->text);
        apr_pool_destroy(own);
        return error;
    }
    *made = apr_pcalloc(own, sizeof(**made));
    (*made)->pool = own;
    (*made)->set = set;
    return NULL;
}

static apr_status_t free_current(void *data)
{
    hs_confirmation *confirmation = data;

    apr_pool_destroy(confirmation->current->pool);
    return APR_SUCCESS;
}

hs_error *hs_confirmation_load(hs_confirmation **made, const hs_confirmation_opts *opts,
                               apr_pool_t *pool)
{
    hs_confirmation *confirmation = apr_pcalloc(pool, sizeof(*confirmation));
    hs_error *error;

    *made = NULL;
    confirmation->opts = *opts;
    confirmation->place.folder = opts->folder;
    confirmation->place.stem = STEM;
    confirmation->place.language = HS_CONFIRMATION_LANGUAGE;
    if (apr_thread_mutex_create(&confirmation->mutex, APR_THREAD_MUTEX_DEFAULT, pool)) {
        return hs_error_make(pool, HS_UNAVAILABLE, "no mutex for the mail templates");
    }
    /* Before the files are read: a change in between is then seen by the next refresh. */
    confirmation->signature = hs_template_set_signature(&confirmation->place, pool);
    error = load(confirmation, &confirmation->current, pool);
    if (error) {
        return error;
    }
    apr_pool_cleanup_register(pool, confirmation, free_current, apr_pool_cleanup_null);
    *made = confirmation;
    return NULL;
}

static loaded *acquire(hs_confirmation *confirmation)
{
    loaded *current;

    apr_thread_mutex_lock(confirmation->mutex);
    current = confirmation->current;
    current->users++;
    apr_thread_mutex_unlock(confirmation->mutex);
    return current;
}

static void release(hs_confirmation *confirmation, loaded *used)
{
    int is_garbage;

    apr_thread_mutex_lock(confirmation->mutex);
    used->users--;
    is_garbage = used->users == 0 && used != confirmation->current;
    apr_thread_mutex_unlock(confirmation->mutex);
    if (is_garbage) {
        apr_pool_destroy(used->pool);
    }
}

/* A clock that was set back must not keep changes away for ever. */
static int is_due(hs_confirmation *confirmation, apr_time_t now_us)
{
    apr_interval_time_t since;
    int due;

    apr_thread_mutex_lock(confirmation->mutex);
    since = now_us - confirmation->checked_us;
    due = since < 0 || since >= HS_CONFIRMATION_RECHECK_US;
    if (due) {
        confirmation->checked_us = now_us;
    }
    apr_thread_mutex_unlock(confirmation->mutex);
    return due;
}

static int is_new(hs_confirmation *confirmation, apr_pool_t *pool)
{
    apr_uint64_t signature = hs_template_set_signature(&confirmation->place, pool);
    int changed;

    apr_thread_mutex_lock(confirmation->mutex);
    changed = signature != confirmation->signature;
    confirmation->signature = signature;
    apr_thread_mutex_unlock(confirmation->mutex);
    return changed;
}

hs_error *hs_confirmation_refresh(hs_confirmation *confirmation, apr_time_t now_us,
                                  apr_pool_t *pool)
{
    loaded *fresh = NULL;
    loaded *old;
    hs_error *error;

    if (!is_due(confirmation, now_us) || !is_new(confirmation, pool)) {
        return NULL;
    }
    error = load(confirmation, &fresh, pool);
    if (error) {
        return error;
    }
    apr_thread_mutex_lock(confirmation->mutex);
    old = confirmation->current;
    old->users++;
    confirmation->current = fresh;
    apr_thread_mutex_unlock(confirmation->mutex);
    release(confirmation, old);
    return NULL;
}

const char *hs_confirmation_language(hs_confirmation *confirmation, const char *accept_language,
                                     apr_pool_t *pool)
{
    loaded *used = acquire(confirmation);
    const char *chosen = apr_pstrdup(pool, choose_language(used->set, accept_language));

    release(confirmation, used);
    return chosen;
}

hs_error *hs_confirmation_render(hs_confirmation *confirmation, hs_buffer *out,
                                 const hs_confirmation_mail *mail, apr_pool_t *pool)
{
    loaded *used = acquire(confirmation);
    hs_error *error = render(used->set, &confirmation->opts, out, mail, pool);

    release(confirmation, used);
    return error;
}
