/* test_confirmation.c - sets of templates from a folder: checks, languages, reload, rendering. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_confirmation.h"

#include "tap.h"

#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>

#include <stdlib.h>

#define NOW_US APR_INT64_C(1751630400123456) /* 2025-07-04T12:00:00Z */
#define THREADS 4
#define ROUNDS 300

static apr_pool_t *pool;
static const char *folder;

static const hs_mailbox from = {"Support", "support@example.com"};
static const hs_mailbox reply_to = {NULL, "help@example.com"};
static hs_confirmation_opts opts;

static const char *path_of(const char *file)
{
    return apr_pstrcat(pool, folder, "/", file, NULL);
}

static void put_file(const char *file, const char *text)
{
    apr_file_t *out;

    if (apr_file_open(&out, path_of(file), APR_FOPEN_WRITE | APR_FOPEN_CREATE | APR_FOPEN_TRUNCATE,
                      APR_FPROT_OS_DEFAULT, pool) ||
        apr_file_puts(text, out) || apr_file_close(out)) {
        tap_ok(0, "can't write %s", file);
    }
}

static void remove_file(const char *file)
{
    apr_file_remove(path_of(file), pool);
}

/* A folder that holds a small English and German set. */
static void make_folder(void)
{
    char name[] = "/tmp/helpsupport-test-XXXXXX";

    folder = apr_pstrdup(pool, mkdtemp(name));
    opts = (hs_confirmation_opts){folder, "Example", "https://example.com/", &from, &reply_to, 0};
    put_file("confirmation.subject", "Ticket #{{ticket.number}}\n");
    put_file("confirmation.txt", "Hello{{#name}} {{name}}{{/name}}|{{#message}}{{message}}"
                                 "{{/message}}|{{support.email}}|{{ticket.created_at}}|"
                                 "{{ticket.date}}|{{ticket.status}}|{{ticket.id}}|{{lang}}");
    put_file("confirmation.html", "<p lang=\"{{lang}}\">{{site.name}}</p>");
    put_file("confirmation.de.subject", "Anfrage #{{ticket.number}}\n");
    put_file("confirmation.de.txt", "Hallo|{{lang}}");
    put_file("confirmation.de.html", "<p>{{ticket.number}}</p>");
}

static void remove_folder(void)
{
    static const char *const files[] = {"confirmation.subject", "confirmation.txt",
                                        "confirmation.html",    "confirmation.de.subject",
                                        "confirmation.de.txt",  "confirmation.de.html"};
    size_t i;

    for (i = 0; i < sizeof(files) / sizeof(*files); i++) {
        remove_file(files[i]);
    }
    tap_is_int(apr_dir_remove(folder, pool), APR_SUCCESS, "nothing is left over");
}

/* The text of the error that loading makes, or "loaded"; the folder's name is left out. */
static const char *load_error(void)
{
    hs_confirmation *confirmation;
    hs_error *error = hs_confirmation_load(&confirmation, &opts, pool);

    if (!error) {
        return "loaded";
    }
    if (error->code != HS_CONFIGURATION || strncmp(error->text, folder, strlen(folder)) != 0) {
        return error->text;
    }
    return error->text + strlen(folder) + 1;
}

static hs_confirmation *loaded(void)
{
    hs_confirmation *confirmation = NULL;
    hs_error *error = hs_confirmation_load(&confirmation, &opts, pool);

    tap_is_str(error ? error->text : NULL, NULL, "loaded");
    return confirmation;
}

static hs_ticket sample_ticket(void)
{
    hs_ticket ticket = {.id = "0197d54e-ca7b-7000-8000-000000000000",
                        .number = 42,
                        .name = "Jane Doe",
                        .email = "jane@example.com",
                        .message = "See http://evil.example\n.\n",
                        .created_us = NOW_US};

    return ticket;
}

static const char *rendered(hs_confirmation *confirmation, const hs_ticket *ticket,
                            const char *language)
{
    hs_confirmation_mail mail = {ticket, language, "hs.42.confirmation.a@example.com"};
    hs_buffer out;
    hs_error *error;

    hs_buffer_init(&out, 1, pool);
    error = hs_confirmation_render(confirmation, &out, &mail, pool);
    return error ? error->text : out.data;
}

static void has(const char *mail, const char *part, const char *name)
{
    tap_ok(strstr(mail, part) != NULL, "%s", name);
    if (!strstr(mail, part)) {
        printf("# not in: %s\n", mail);
    }
}

static void test_render(void)
{
    hs_confirmation *confirmation = loaded();
    hs_ticket ticket = sample_ticket();
    const char *mail = rendered(confirmation, &ticket, "en");

    has(mail, "\r\nSubject: Ticket #42\r\n", "subject");
    has(mail, "From: Support <support@example.com>\r\nTo: jane@example.com\r\n", "addresses");
    has(mail,
        "Hello Jane Doe||help@example.com|2025-07-04T12:00:00Z|2025-07-04 12:00 UTC|=\r\n"
        "open|0197d54e-ca7b-7000-8000-000000000000|en\r\n",
        "variables; the message is not repeated");
    has(mail, "<p lang=3D\"en\">Example</p>", "HTML");
    tap_is_str(rendered(confirmation, &ticket, "en"), mail, "the same octets again");
    has(rendered(confirmation, &ticket, "de"), "Hallo|de\r\n", "German");
    has(rendered(confirmation, &ticket, "de-at"), "Hallo|de\r\n", "a German that is not there");
    has(rendered(confirmation, &ticket, "nl"), "|en\r\n", "a language that is not there");
    ticket.email = "jane@example.com\r\nBcc: x@example.com";
    tap_is_str(rendered(confirmation, &ticket, "en"), "the mail can't be composed: bad To",
               "a bad address");
}

static void test_echo(void)
{
    static const struct {
        const char *name;
        const char *greeting;
    } cases[] = {
        {"O'Brien-Smith Jr.", "Hello O'Brien-Smith Jr.|"},
        {"Ren\xC3\xA9", "Hello Ren=C3=A9|"},
        {"visit evil.com", "Hello visit evil. com|"},
        {"a@b", "Hello|"},
        {"<b>", "Hello|"},
        {"agent 007", "Hello|"},
        {"evil.\xE2\x80\xAE"
         "com",
         "Hello|"},                                              /* U+202E */
        {"a b c d e f g h i j k l m n o p q r s t u", "Hello|"}, /* 41 characters */
        {"a b c d e f g h i j k l m n o p q r s t ", "Hello a b c d e f g h i j k l m n"},
        {NULL, "Hello|"},
    };
    hs_confirmation *confirmation = loaded();
    hs_ticket ticket = sample_ticket();
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        ticket.name = cases[i].name;
        has(rendered(confirmation, &ticket, "en"), cases[i].greeting, cases[i].greeting);
    }
    opts.echo_message = 1;
    confirmation = loaded();
    opts.echo_message = 0;
    has(rendered(confirmation, &ticket, "en"), "|See http: //evil. example\r\n=2E\r\n|help",
        "the message, where it is wanted, without a link");
    ticket.message = "http:\xE2\x80\xAE//evil.\xE2\x81\xA6"
                     "example http:\x01//b.example";
    has(rendered(confirmation, &ticket, "en"), "|http: //evil. example http: //b. example|",
        "whatever keeps it apart");
}

static void test_language(void)
{
    hs_confirmation *confirmation = loaded();

    tap_is_str(hs_confirmation_language(confirmation, NULL, pool), "en", "no field");
    tap_is_str(hs_confirmation_language(confirmation, "nl,fr", pool), "en", "others");
    tap_is_str(hs_confirmation_language(confirmation, "nl,de-CH;q=0.5", pool), "de", "German");
    tap_is_str(hs_confirmation_language(confirmation, "en-GB,de;q=0.9", pool), "en", "English");
}

/* Write `text` into `file`, expect `error`, and put `restored` back (NULL: remove it). */
static void expect(const char *file, const char *text, const char *error, const char *restored)
{
    put_file(file, text);
    tap_is_str(load_error(), error, error);
    if (restored) {
        put_file(file, restored);
    } else {
        remove_file(file);
    }
}

static void test_bad_sets(void)
{
    static const char html[] = "<p lang=\"{{lang}}\">{{site.name}}</p>";

    expect("confirmation.html", "<p>\n {{nobody}}",
           "confirmation.html:2:2: there is no variable \"nobody\"", html);
    expect("confirmation.html", "<a href=\"{{site.url}}\"></a>",
           "confirmation.html:1:10: site.url has no value: use a section around it", html);
    expect("confirmation.de.subject", "{{#message}}x{{/message}}",
           apr_pstrcat(pool,
                       "confirmation.*:1:1: test mail in \"de\": the mail can't be composed: "
                       "bad Subject",
                       NULL),
           "Anfrage #{{ticket.number}}\n");
    expect("confirmation.fr.txt", "x",
           "confirmation.fr.subject:1:1: is missing: each language needs .subject, .txt and .html",
           NULL);
    expect("confirmation.en.txt", "x",
           "confirmation.en.txt:1:1: the files without a tag are those for \"en\"", NULL);
    expect("confirmation.d!.txt", "x",
           "confirmation.d!.txt:1:1: between the dots there must be a language tag such as \"de\"",
           NULL);
    expect("confirmation.DE.txt", "x",
           "confirmation.de.txt:1:1: there is another file for the same language", NULL);
    expect("confirmation.html.bak", "{{", "loaded", NULL);
    expect("other.html", "{{", "loaded", NULL);
    remove_file("confirmation.txt");
    tap_is_str(load_error(),
               "confirmation.txt:1:1: is missing: each language needs .subject, .txt and .html",
               "no default");
    apr_dir_make(path_of("confirmation.txt"), APR_FPROT_OS_DEFAULT, pool);
    tap_is_str(load_error(), "confirmation.txt:1:1: is not a file", "a folder");
    apr_dir_remove(path_of("confirmation.txt"), pool);
    put_file("confirmation.txt", "Hi {{lang}}");
    opts.folder = "/nonexistent";
    tap_is_str(load_error(),
               "/nonexistent:1:1: the folder of templates can't be read: No such file "
               "or directory",
               "no folder");
    opts.folder = folder;
    opts.site_url = "javascript:alert(1)";
    expect("confirmation.html", "{{#site.url}}<a href=\"{{site.url}}\"></a>{{/site.url}}",
           "confirmation.html:1:23: site.url is not an http or https URL", html);
    opts.site_url = "https://example.com/";
}

static const char *refreshed(hs_confirmation *confirmation, apr_time_t now_us)
{
    hs_error *error = hs_confirmation_refresh(confirmation, now_us, pool);

    return error ? strrchr(error->text, '/') : NULL;
}

static void test_refresh(void)
{
    hs_confirmation *confirmation = loaded();
    hs_ticket ticket = sample_ticket();
    apr_time_t now = NOW_US;

    tap_is_str(refreshed(confirmation, now), NULL, "nothing changed");
    put_file("confirmation.txt", "changed {{lang}}");
    tap_is_str(refreshed(confirmation, now + HS_CONFIRMATION_RECHECK_US - 1), NULL, "not yet");
    has(rendered(confirmation, &ticket, "en"), "Hi en", "the old one");
    tap_is_str(refreshed(confirmation, now += HS_CONFIRMATION_RECHECK_US), NULL, "now");
    has(rendered(confirmation, &ticket, "en"), "changed en", "the new one");
    put_file("confirmation.txt", "bad {{");
    tap_is_str(refreshed(confirmation, now += HS_CONFIRMATION_RECHECK_US),
               "/confirmation.txt:1:5: \"{{\" without \"}}\"", "a bad one is reported");
    tap_is_str(refreshed(confirmation, now += HS_CONFIRMATION_RECHECK_US), NULL, "once");
    has(rendered(confirmation, &ticket, "en"), "changed en", "and not used");
    put_file("confirmation.txt", "good {{lang}}!");
    put_file("confirmation.de.txt", "neu {{lang}}!!");
    tap_is_str(refreshed(confirmation, now - 3600 * APR_USEC_PER_SEC), NULL,
               "the clock was set back");
    has(rendered(confirmation, &ticket, "en"), "good en!", "the next good one");
    has(rendered(confirmation, &ticket, "de"), "neu de!!", "and the other language's");
    remove_file("confirmation.de.txt");
    tap_is_str(refreshed(confirmation, now),
               "/confirmation.de.txt:1:1: is missing: each language "
               "needs .subject, .txt and .html",
               "a removed file");
    put_file("confirmation.de.txt", "da {{lang}}");
}

static void *APR_THREAD_FUNC render_many(apr_thread_t *thread, void *data)
{
    hs_confirmation_mail mail = {NULL, "en", "hs.42.confirmation.a@example.com"};
    hs_ticket ticket = sample_ticket();
    apr_pool_t *own;
    hs_buffer out;
    int i;

    mail.ticket = &ticket;
    apr_pool_create(&own, apr_thread_pool_get(thread));
    for (i = 0; i < ROUNDS; i++) {
        hs_buffer_init(&out, 1, own);
        if (hs_confirmation_refresh(data, NOW_US * 2 + i * HS_CONFIRMATION_RECHECK_US, own) ||
            hs_confirmation_render(data, &out, &mail, own) || !strstr(out.data, "round ")) {
            apr_thread_exit(thread, APR_EGENERAL);
        }
        apr_pool_clear(own);
    }
    apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

/* Whole files appear by rename, as a careful administrator's do. */
static void replace_file(const char *file, const char *text)
{
    put_file("new", text);
    apr_file_rename(path_of("new"), path_of(file), pool);
}

static void test_threads(void)
{
    apr_thread_t *threads[THREADS];
    hs_confirmation *confirmation;
    apr_status_t status;
    int i;

    replace_file("confirmation.txt", "round 0");
    confirmation = loaded();
    for (i = 0; i < THREADS; i++) {
        apr_thread_create(&threads[i], NULL, render_many, confirmation, pool);
    }
    for (i = 0; i < ROUNDS; i++) {
        replace_file("confirmation.txt", apr_psprintf(pool, "round %d", i));
    }
    for (i = 0; i < THREADS; i++) {
        apr_thread_join(&status, threads[i]);
        tap_is_int(status, APR_SUCCESS, "thread rendered while sets were exchanged");
    }
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    make_folder();
    test_render();
    test_echo();
    test_language();
    test_bad_sets();
    test_refresh();
    test_threads();
    remove_folder();
    apr_pool_destroy(pool);
    return tap_done();
}
