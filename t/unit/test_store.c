/* test_store.c - tickets, idempotency keys, statuses and histories in the database. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store_fixture.h"

#include "hs_json.h"
#include "hs_store_int.h"

#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define THREADS 16

static hs_error *ask(hs_store *store, hs_conn *conn, void *baton, apr_pool_t *pool)
{
    const char **text = baton;
    hs_rows *rows;
    hs_error *error = hs_conn_ask(conn, &rows, *text, pool);

    *text = !error && rows->count > 0 ? hs_rows_text(rows, 0, 0) : NULL;
    (void)store;
    return error;
}

/* The first value of a query of the test's own. */
static apr_int64_t number_of(fixture *f, const char *sql)
{
    const char *text = sql;

    return fixture_worked(hs_store_read(f->store, ask, &text, f->pool)) && text ? apr_atoi64(text)
                                                                                : -1;
}

static hs_error *submit_new(fixture *f, hs_submit *submit, int *replayed)
{
    *replayed = -1;
    return hs_store_submit(f->store, submit, replayed, f->pool);
}

static hs_submit *stored(fixture *f)
{
    hs_submit *submit = fixture_submission("user", f->pool);
    int replayed;

    if (!fixture_worked(submit_new(f, submit, &replayed))) {
        abort();
    }
    return submit;
}

static void test_round_trip(apr_pool_t *root)
{
    fixture f;
    hs_submit *submit;
    hs_ticket *got = NULL;
    hs_ticket_ref ref;
    int replayed;
    struct stat info;

    fixture_open(&f, root);
    submit = fixture_submission("auth0|64af", f.pool);
    tap_ok(fixture_worked(submit_new(&f, submit, &replayed)), "a ticket is stored");
    tap_is_int(replayed, 0, "and is new");
    tap_is_int(submit->ticket->number, 1, "it has the first number");
    tap_ok(submit->ticket->created_us > 0 &&
               submit->ticket->created_us == submit->ticket->updated_us,
           "and its times");
    ref = (hs_ticket_ref){.id = submit->ticket->id};
    tap_ok(fixture_worked(hs_store_get(f.store, &got, &ref, f.pool)), "it is found by id");
    tap_is_str(got->message, submit->ticket->message, "message");
    tap_is_str(got->name, submit->ticket->name, "name");
    tap_is_str(got->phone_number, submit->ticket->phone_number, "phone_number");
    tap_is_str(got->email, submit->ticket->email, "email as it was written");
    tap_is_str(got->user_id, "auth0|64af", "user_id");
    tap_is_int(got->status, HS_STATUS_OPEN, "status");
    tap_is_int(got->version, 1, "version");
    tap_is_int(got->created_us, submit->ticket->created_us, "created_us");
    ref = (hs_ticket_ref){.number = 1};
    tap_ok(fixture_worked(hs_store_get(f.store, &got, &ref, f.pool)), "it is found by number");
    tap_is_str(got->id, submit->ticket->id, "id");
    ref = (hs_ticket_ref){.number = 2};
    tap_is_int(hs_store_get(f.store, &got, &ref, f.pool)->code, HS_NOT_FOUND, "another is not");
    tap_ok(!fixture_is("sqlite3") || (stat(f.file, &info) == 0 && (info.st_mode & 07) == 0),
           "others may not read the file");
    fixture_close(&f);
}

static void test_mail_row(apr_pool_t *root)
{
    fixture f;
    hs_submit *submit;
    int replayed;

    fixture_open(&f, root);
    (void)stored(&f);
    tap_is_int(number_of(&f, "SELECT count(*) FROM mail WHERE state = 'queued' AND ticket = 1 "
                             "AND recipient = 'Jane+help@example.com' "
                             "AND recipient_key = 'jane@example.com' "
                             "AND recipient_domain = 'example.com' AND site = 'www.example.com' "
                             "AND language = 'en' AND message_id LIKE 'hs.1.%' "
                             "AND length(message_id) = 21 AND message IS NULL"),
               1, "its mail is queued");
    submit = fixture_submission("user", f.pool);
    submit->suppressed = "mail off";
    tap_ok(fixture_worked(submit_new(&f, submit, &replayed)), "a ticket without mail");
    tap_is_int(number_of(&f, "SELECT count(*) FROM mail WHERE state = 'suppressed' "
                             "AND detail = 'mail off' AND ticket = 2"),
               1, "its mail is suppressed");
    fixture_close(&f);
}

static hs_submit *keyed(fixture *f, const char *user, const char *key, const char *message)
{
    hs_submit *submit = fixture_submission(user, f->pool);

    submit->idempotency_key = key;
    submit->ticket->message = message;
    return submit;
}

static void test_keys(apr_pool_t *root)
{
    fixture f;
    hs_submit *first;
    hs_submit *again;
    int replayed;

    fixture_open(&f, root);
    first = keyed(&f, "user", "key-1", "help");
    tap_ok(fixture_worked(submit_new(&f, first, &replayed)) && !replayed, "a key's first use");
    again = keyed(&f, "user", "key-1", "help");
    tap_ok(fixture_worked(submit_new(&f, again, &replayed)) && replayed == 1, "a replay");
    tap_is_str(again->ticket->id, first->ticket->id, "gives the first id");
    tap_is_int(again->ticket->number, first->ticket->number, "and number");
    tap_is_int(again->ticket->created_us, first->ticket->created_us, "and time");
    tap_is_int(submit_new(&f, keyed(&f, "user", "key-1", "HELP"), &replayed)->code, HS_KEY_MISMATCH,
               "other members do not match");
    tap_ok(fixture_worked(submit_new(&f, keyed(&f, "other", "key-1", "HELP"), &replayed)) &&
               !replayed,
           "another user has keys of its own");
    tap_is_int(number_of(&f, "SELECT count(*) FROM ticket"), 2, "two tickets in all");
    tap_is_int(number_of(&f, "SELECT count(*) FROM mail"), 2, "and two mails");
    tap_ok(fixture_does(&f, "UPDATE idempotency_key SET created_us = created_us - 86400000001"),
           "a day later");
    again = keyed(&f, "user", "key-1", "HELP");
    tap_ok(fixture_worked(submit_new(&f, again, &replayed)) && !replayed, "the key is free");
    tap_is_int(again->ticket->number, 3, "and makes a new ticket");
    tap_is_int(number_of(&f, "SELECT count(*) FROM idempotency_key"), 1,
               "the other expired key was purged");
    fixture_close(&f);
}

static void count_commit(void *baton)
{
    ++*(int *)baton;
}

static void test_committed(apr_pool_t *root)
{
    fixture f;
    int commits = 0;
    int replayed;

    fixture_open(&f, root);
    if (!fixture_worked(hs_store_create(&f.store, &f.opts, count_commit, &commits, f.pool))) {
        abort();
    }
    (void)!submit_new(&f, keyed(&f, "user", "key", "help"), &replayed);
    tap_is_int(commits, 1, "the sender is woken after a commit");
    (void)!submit_new(&f, keyed(&f, "user", "key", "help"), &replayed);
    tap_is_int(commits, 1, "not after a replay");
    fixture_close(&f);
}

/* One of many threads that submit at once. */
typedef struct worker {
    fixture *f;
    apr_pool_t *pool;
    hs_submit *submit;
    int replayed;
    int is_ok;
} worker;

static void *submit_in_thread(void *data)
{
    worker *self = data;

    self->is_ok = !hs_store_submit(self->f->store, self->submit, &self->replayed, self->pool);
    return NULL;
}

static void run_workers(worker *workers)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++) {
        apr_pool_create_unmanaged_ex(&workers[i].pool, NULL, NULL);
        pthread_create(&threads[i], NULL, submit_in_thread, &workers[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
}

static void end_workers(worker *workers)
{
    for (int i = 0; i < THREADS; i++) {
        apr_pool_destroy(workers[i].pool);
    }
}

static void test_same_key_at_once(apr_pool_t *root)
{
    fixture f;
    int fresh = 0;
    int same = 0;

    fixture_open(&f, root);
    for (int round = 0; round < 20; round++) {
        worker workers[THREADS] = {{0}};
        const char *key = apr_psprintf(f.pool, "key-%d", round);

        for (int i = 0; i < THREADS; i++) {
            workers[i] = (worker){.f = &f, .submit = keyed(&f, "user", key, "help")};
        }
        run_workers(workers);
        for (int i = 0; i < THREADS; i++) {
            fresh += workers[i].is_ok && !workers[i].replayed;
            same += workers[i].is_ok &&
                    workers[i].submit->ticket->number == workers[0].submit->ticket->number &&
                    strcmp(workers[i].submit->ticket->id, workers[0].submit->ticket->id) == 0;
        }
        end_workers(workers);
    }
    tap_is_int(fresh, 20, "of all that use a key at once, one is new");
    tap_is_int(same, 20 * THREADS, "and all get the same ticket");
    tap_is_int(number_of(&f, "SELECT count(*) FROM ticket"), 20, "which is stored once");
    tap_is_int(number_of(&f, "SELECT count(*) FROM mail"), 20, "with one mail");
    fixture_close(&f);
}

static void test_numbers_and_times(apr_pool_t *root)
{
    fixture f;

    fixture_open(&f, root);
    for (int round = 0; round < 30; round++) {
        worker workers[THREADS] = {{0}};

        for (int i = 0; i < THREADS; i++) {
            workers[i] = (worker){.f = &f, .submit = fixture_submission("user", f.pool)};
        }
        run_workers(workers);
        end_workers(workers);
        if (round == 10 && fixture_is("sqlite3")) {
            (void)fixture_does(&f, "UPDATE ticket SET created_us = created_us + 3600000000");
        }
    }
    tap_is_int(number_of(&f, "SELECT count(*) FROM ticket"), 30 * THREADS, "all are stored");
    tap_is_int(number_of(&f, "SELECT count(*) FROM ticket AS a JOIN ticket AS b "
                             "ON b.number = a.number + 1 WHERE b.created_us < a.created_us"),
               0, "times never go backwards, though the clock did");
    fixture_close(&f);
}

/* As after an unknown outcome: the same ticket once more. */
static void test_second_try(apr_pool_t *root)
{
    fixture f;
    hs_submit *submit;
    int replayed;

    fixture_open(&f, root);
    submit = keyed(&f, "user", "key", "help");
    tap_ok(fixture_worked(submit_new(&f, submit, &replayed)), "a ticket with a key");
    tap_ok(fixture_worked(submit_new(&f, submit, &replayed)) && !replayed, "is not its own replay");
    submit->idempotency_key = NULL;
    submit->ticket->number = 0;
    tap_ok(fixture_worked(submit_new(&f, submit, &replayed)) && !replayed, "nor without the key");
    tap_is_int(submit->ticket->number, 1, "it is the same ticket");
    tap_is_int(number_of(&f, "SELECT count(*) FROM mail"), 1, "and has one mail");
    fixture_close(&f);
}

static hs_error *set_status(fixture *f, hs_ticket **ticket, apr_int64_t number, hs_status status,
                            const char *if_match)
{
    hs_change change = {
        .ref = {.number = number}, .status = status, .if_match = if_match, .by = "ann"};

    *ticket = NULL;
    return hs_store_set_status(f->store, ticket, &change, f->pool);
}

static void test_status(apr_pool_t *root)
{
    fixture f;
    hs_submit *submit;
    hs_ticket *ticket;
    hs_change change;

    fixture_open(&f, root);
    submit = stored(&f);
    tap_ok(fixture_worked(set_status(&f, &ticket, 1, HS_STATUS_PENDING, "\"1-1\"")),
           "a change with the right version");
    tap_is_int(ticket->status, HS_STATUS_PENDING, "is made");
    tap_is_int(ticket->version, 2, "makes a version");
    tap_ok(ticket->updated_us > submit->ticket->created_us, "and sets the time");
    tap_is_str(ticket->message, submit->ticket->message, "the rest stays");
    tap_is_int(set_status(&f, &ticket, 1, HS_STATUS_CLOSED, "\"1-1\"")->code, HS_STALE,
               "a change of an old version is not made");
    tap_ok(ticket && ticket->version == 2 && ticket->status == HS_STATUS_PENDING,
           "and gives the ticket as it is");
    tap_ok(fixture_worked(set_status(&f, &ticket, 1, HS_STATUS_PENDING, NULL)) &&
               ticket->version == 2,
           "the same status changes nothing");
    tap_is_int(set_status(&f, &ticket, 2, HS_STATUS_CLOSED, NULL)->code, HS_NOT_FOUND,
               "no such number");
    change =
        (hs_change){.ref = {.id = submit->ticket->id}, .status = HS_STATUS_CLOSED, .by = "bob"};
    tap_ok(fixture_worked(hs_store_set_status(f.store, &ticket, &change, f.pool)) &&
               ticket->version == 3,
           "a change by id");
    change.ref.id = "01900000-0000-7000-8000-000000000000";
    tap_is_int(hs_store_set_status(f.store, &ticket, &change, f.pool)->code, HS_NOT_FOUND,
               "no such id");
    tap_is_int(number_of(&f, "SELECT count(*) FROM ticket_event"), 2, "two changes are recorded");
    fixture_close(&f);
}

static void test_history(apr_pool_t *root)
{
    fixture f;
    hs_ticket *ticket;
    hs_ticket_ref ref = {.number = 1};
    apr_array_header_t *events = NULL;
    const hs_event *event;

    fixture_open(&f, root);
    tap_is_int(hs_store_history(f.store, &events, &ref, f.pool)->code, HS_NOT_FOUND,
               "no history without a ticket");
    ref.number = stored(&f)->ticket->number;
    (void)!set_status(&f, &ticket, ref.number, HS_STATUS_RESOLVED, NULL);
    tap_ok(fixture_worked(hs_store_history(f.store, &events, &ref, f.pool)), "a history");
    tap_is_int(events->nelts, 3, "of three events");
    event = &APR_ARRAY_IDX(events, 0, hs_event);
    tap_ok(strcmp(event->event, "created") == 0 && event->at_us == ticket->created_us, "created");
    event = &APR_ARRAY_IDX(events, 1, hs_event);
    tap_is_str(event->event, "mail", "mail");
    tap_is_str(event->kind, "confirmation", "its kind");
    tap_is_str(event->state, "queued", "its state");
    tap_is_str(event->detail, "", "and nothing to say");
    event = &APR_ARRAY_IDX(events, 2, hs_event);
    tap_is_str(event->event, "status", "status");
    tap_is_str(event->from, "open", "from");
    tap_is_str(event->to, "resolved", "to");
    tap_is_str(event->by, "ann", "by");
    tap_is_int(event->at_us, ticket->updated_us, "at");
    fixture_close(&f);
}

typedef struct changer {
    fixture *f;
    const char *ids[2]; /* of tickets 1 and 2 */
    int changed;
    int not_found;
    int index;
} changer;

/* One of two tickets, by number or, every second time, by id: groups name each in both ways. */
static hs_ticket_ref ref_of(const changer *self, int turn)
{
    return turn % 4 < 2 ? (hs_ticket_ref){.number = 1 + turn % 2}
                        : (hs_ticket_ref){.id = self->ids[turn % 2]};
}

static const hs_ticket_ref nobody[] = {{.number = 3},
                                       {.id = "01900000-0000-7000-8000-000000000000"}};

static void *change_in_thread(void *data)
{
    changer *self = data;
    apr_pool_t *pool;

    apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    for (int i = 0; i < 25; i++) {
        hs_change change = {.ref = ref_of(self, self->index + i),
                            .status = (hs_status)((self->index + i) % 4),
                            .by = "ann"};
        hs_ticket *ticket;
        hs_error *error = hs_store_set_status(self->f->store, &ticket, &change, pool);

        self->changed +=
            !error && ticket->status == change.status && hs_ticket_is_named(ticket, &change.ref);
        change.ref = nobody[i % 2];
        error = hs_store_set_status(self->f->store, &ticket, &change, pool);
        self->not_found += error && error->code == HS_NOT_FOUND;
    }
    apr_pool_destroy(pool);
    return NULL;
}

/* Have all threads do their work on two tickets; the sum of what they did. */
static changer run_changers(fixture *f, void *(*work)(void *data))
{
    pthread_t threads[THREADS];
    changer changers[THREADS];
    changer sum = {.f = f, .ids = {stored(f)->ticket->id, stored(f)->ticket->id}};

    for (int i = 0; i < THREADS; i++) {
        changers[i] = sum;
        changers[i].index = i;
        pthread_create(&threads[i], NULL, work, &changers[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        sum.changed += changers[i].changed;
        sum.not_found += changers[i].not_found;
    }
    return sum;
}

static void test_changes_at_once(apr_pool_t *root)
{
    fixture f;
    changer all;

    fixture_open(&f, root);
    all = run_changers(&f, change_in_thread);
    tap_is_int(all.changed, 25 * THREADS, "each change gives the ticket that it made");
    tap_is_int(all.not_found, 25 * THREADS, "but those of no ticket");
    tap_is_int(number_of(&f, "SELECT count(*) - (SELECT sum(version - 1) FROM ticket) "
                             "FROM ticket_event"),
               0, "each version has its event");
    tap_is_int(number_of(&f, "SELECT count(*) FROM ticket_event AS a JOIN ticket_event AS b "
                             "ON b.ticket = a.ticket AND b.version = a.version + 1 "
                             "WHERE b.from_status <> a.to_status OR b.at_us <= a.at_us"),
               0, "each event goes on where the one before it ended");
    fixture_close(&f);
}

/* VACUUM and ANALYZE make every prepared statement of apr_dbd_sqlite3 invalid for ever. */
static void *look_in_thread(void *data)
{
    changer *self = data;
    apr_pool_t *pool;

    apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    for (int i = 0; i < 100; i++) {
        hs_ticket_ref ref = ref_of(self, self->index + i);
        hs_ticket *ticket = NULL;
        hs_error *error = hs_store_get(self->f->store, &ticket, &ref, pool);

        self->changed += !error && hs_ticket_is_named(ticket, &ref);
        error = hs_store_get(self->f->store, &ticket, &nobody[i % 2], pool);
        self->not_found += error && error->code == HS_NOT_FOUND;
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
    return NULL;
}

static void test_lookups_at_once(apr_pool_t *root)
{
    fixture f;
    changer all;

    fixture_open(&f, root);
    all = run_changers(&f, look_in_thread);
    tap_is_int(all.changed, 100 * THREADS, "each lookup gives its own ticket");
    tap_is_int(all.not_found, 100 * THREADS, "but those of none");
    fixture_close(&f);
}

static void test_vacuum(apr_pool_t *root)
{
    fixture f;
    hs_ticket *ticket;
    hs_ticket_ref ref = {.number = 1};
    int replayed;

    fixture_open(&f, root);
    (void)stored(&f);
    tap_ok(fixture_does(&f, "VACUUM"), "somebody runs VACUUM");
    tap_ok(fixture_worked(hs_store_get(f.store, &ticket, &ref, f.pool)), "a read goes on");
    tap_ok(fixture_does(&f, "ANALYZE"), "somebody runs ANALYZE");
    tap_ok(fixture_worked(submit_new(&f, fixture_submission("user", f.pool), &replayed)),
           "a submission goes on");
    tap_ok(fixture_does(&f, "VACUUM") &&
               fixture_worked(set_status(&f, &ticket, 1, HS_STATUS_CLOSED, NULL)),
           "a change goes on");
    tap_ok(fixture_worked(hs_store_check(f.store, f.pool)), "the schema is still right");
    fixture_close(&f);
}

/* How an error of `f` begins, without what its pool holds. */
static void test_absent_folder(apr_pool_t *root)
{
    fixture f;
    int replayed;
    hs_error *error;
    apr_time_t before;

    fixture_open(&f, root);
    rmdir(f.folder);
    before = apr_time_now();
    error = submit_new(&f, fixture_submission("user", f.pool), &replayed);
    tap_ok(error && error->code == HS_UNAVAILABLE, "without the file's folder nothing is stored");
    tap_ok(error && strstr(error->text, "folder must exist"), "the error says what to do");
    error = submit_new(&f, fixture_submission("user", f.pool), &replayed);
    tap_ok(error && error->code == HS_UNAVAILABLE, "nor a moment later");
    tap_ok(apr_time_now() - before < 500000, "and nobody waits");
    mkdir(f.folder, 0700);
    apr_sleep(apr_time_from_msec(1100));
    tap_ok(fixture_worked(submit_new(&f, fixture_submission("user", f.pool), &replayed)),
           "once it is there all is well");
    fixture_close(&f);
}

static void test_moved_file(apr_pool_t *root)
{
    fixture f;
    int replayed;

    fixture_open(&f, root);
    (void)stored(&f);
    unlink(f.file);
    unlink(apr_pstrcat(f.pool, f.file, "-wal", NULL));
    unlink(apr_pstrcat(f.pool, f.file, "-shm", NULL));
    tap_ok(fixture_worked(submit_new(&f, fixture_submission("user", f.pool), &replayed)),
           "after the file was deleted a ticket is stored");
    tap_ok(access(f.file, F_OK) == 0 && number_of(&f, "SELECT count(*) FROM ticket") == 1,
           "in the new file");
    fixture_close(&f);
}

static void test_foreign_file(apr_pool_t *root)
{
    fixture f;
    hs_error *error;

    fixture_open(&f, root);
    (void)fixture_does(&f, "CREATE TABLE theirs (x)");
    error = hs_store_init(f.store, f.pool);
    tap_ok(error && strstr(error->text, "another program"), "another program's file is refused");
    fixture_close(&f);
    fixture_open(&f, root);
    (void)!hs_store_init(f.store, f.pool);
    fixture_close(&f);
    fixture_open(&f, root);
    tap_ok(fixture_worked(hs_store_init(f.store, f.pool)), "a file of our own is made");
    (void)fixture_does(&f, "PRAGMA user_version = 1000");
    if (fixture_worked(hs_store_create(&f.store, &f.opts, NULL, NULL, f.pool))) {
        error = hs_store_check(f.store, f.pool);
        tap_ok(error && strstr(error->text, "newer"), "a newer version's file is refused");
    }
    fixture_close(&f);
}

/* Make the tables from several processes at once; returns how many could not. */
static int init_at_once(fixture *f)
{
    int faults = 0;
    int status;

    fflush(stdout);
    for (int i = 0; i < 4; i++) {
        if (fork() == 0) {
            apr_pool_t *pool;
            hs_store *store;

            apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
            _exit(hs_store_create(&store, &f->opts, NULL, NULL, pool) ||
                  !fixture_worked(hs_store_init(store, pool)));
        }
    }
    for (int i = 0; i < 4; i++) {
        wait(&status);
        faults += status != 0;
    }
    return faults;
}

static void test_schema_of_server(apr_pool_t *root)
{
    fixture f;
    hs_error *error;
    apr_time_t before = apr_time_now();

    fixture_open_empty(&f, root);
    error = hs_store_check(f.store, f.pool);
    tap_ok(error && error->code == HS_UNAVAILABLE && strstr(error->text, "db init"),
           "a database without tables is refused");
    tap_ok(apr_time_now() - before < apr_time_from_sec(2), "at once");
    tap_is_int(init_at_once(&f), 0, "four processes make the tables at once");
    apr_sleep(apr_time_from_msec(1100));
    tap_ok(fixture_worked(hs_store_check(f.store, f.pool)), "every statement fits them");
    tap_is_int(stored(&f)->ticket->number, 1, "a ticket is stored");
    tap_ok(fixture_worked(hs_store_init(f.store, f.pool)), "init again changes nothing");
    tap_is_int(number_of(&f, "SELECT count(*) FROM ticket"), 1, "and loses nothing");
    fixture_close(&f);
    fixture_open_empty(&f, root);
    (void)fixture_does(&f, "CREATE TABLE theirs (x integer)");
    error = hs_store_init(f.store, f.pool);
    tap_ok(error && strstr(error->text, "another program"),
           "another program's database is refused");
    fixture_close(&f);
    fixture_open(&f, root);
    (void)fixture_does(&f, fixture_is("pgsql")
                               ? "COMMENT ON TABLE ticket IS 'mod_helpsupport 1752396907 1000'"
                               : "ALTER TABLE ticket COMMENT 'mod_helpsupport 1752396907 1000'");
    if (fixture_worked(hs_store_create(&f.store, &f.opts, NULL, NULL, f.pool))) {
        error = hs_store_check(f.store, f.pool);
        tap_ok(error && strstr(error->text, "newer"), "a newer version's database is refused");
    }
    fixture_close(&f);
}

/* A process that submits until it is killed and tells each ticket that it may call stored. */
static void submit_for_ever(fixture *parent, int out)
{
    apr_pool_t *pool;
    hs_store *store;

    apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    if (hs_store_create(&store, &parent->opts, NULL, NULL, pool)) {
        _exit(1);
    }
    for (int i = 0;; i++) {
        hs_submit *submit = fixture_submission("user", pool);
        int replayed;

        submit->idempotency_key = apr_psprintf(pool, "%d-%d", (int)getpid(), i);
        if (hs_store_submit(store, submit, &replayed, pool) ||
            write(out, submit->ticket->id, HS_UUID_SIZE - 1) < 0) {
            _exit(1);
        }
    }
}

static int count_absent(fixture *f, int in, int *told)
{
    char id[HS_UUID_SIZE] = "";
    int absent = 0;

    while (read(in, id, HS_UUID_SIZE - 1) == HS_UUID_SIZE - 1) {
        hs_ticket_ref ref = {.id = id};
        hs_ticket *ticket;

        absent += hs_store_get(f->store, &ticket, &ref, f->pool) != NULL;
        ++*told;
    }
    return absent;
}

/* Two writers for `run_us`; returns how many of the tickets that they told of are not there. */
static int kill_writers(fixture *f, apr_interval_time_t run_us, int *told)
{
    pid_t children[2];
    int ends[2];
    int absent;

    if (pipe(ends) != 0) {
        return -1;
    }
    for (int i = 0; i < 2; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            submit_for_ever(f, ends[1]);
        }
    }
    apr_sleep(run_us);
    for (int i = 0; i < 2; i++) {
        kill(children[i], SIGKILL);
        waitpid(children[i], NULL, 0);
    }
    close(ends[1]);
    absent = count_absent(f, ends[0], told);
    close(ends[0]);
    return absent;
}

static void test_killed_writers(apr_pool_t *root, apr_lockmech_e mechanism, const char *name)
{
    fixture f;
    int absent = 0;
    int told = 0;

    fixture_open(&f, root);
    if (apr_global_mutex_create(&f.opts.write_turn, apr_pstrcat(f.pool, f.folder, "/turn", NULL),
                                mechanism, f.pool) != APR_SUCCESS) {
        f.opts.write_turn = NULL;
    }
    tap_ok(f.opts.write_turn != NULL, "writers take turns by %s", name);
    for (int round = 0; round < 6; round++) {
        absent += kill_writers(&f, apr_time_from_msec(150 + round * 7), &told);
    }
    tap_ok(told > 50, "writers that are killed had stored %d tickets", told);
    tap_is_int(absent, 0, "none of which is lost");
    tap_is_int(number_of(&f, "SELECT count(*) - (SELECT count(*) FROM mail) FROM ticket"), 0,
               "every ticket has its mail");
    tap_is_int(number_of(&f, "SELECT count(*) - (SELECT count(*) FROM idempotency_key) "
                             "FROM ticket"),
               0, "and its key");
    tap_ok(stored(&f)->ticket->number > 0, "the turn is not lost with its holder");
    tap_ok(!fixture_is("sqlite3") ||
               number_of(&f, "SELECT integrity_check = 'ok' FROM pragma_integrity_check") == 1,
           "and the file is whole");
    fixture_close(&f);
}

static hs_store *shared_store;
static int shared_faults;

/* The number of the thread decides whether it reads or writes. */
static void *open_in_thread(void *data)
{
    hs_ticket_ref ref = {.number = 1};
    hs_ticket *ticket;
    hs_error *error;
    apr_pool_t *pool;
    int replayed;

    apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    error = *(int *)data % 2
                ? hs_store_get(shared_store, &ticket, &ref, pool)
                : hs_store_submit(shared_store, fixture_submission("u", pool), &replayed, pool);
    if (error && error->code != HS_NOT_FOUND) {
        (void)fixture_worked(error);
        shared_faults++;
    }
    apr_pool_destroy(pool);
    return NULL;
}

static void open_in_process(fixture *f)
{
    pthread_t threads[8];
    int numbers[8];
    apr_pool_t *pool;

    apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    if (hs_store_create(&shared_store, &f->opts, NULL, NULL, pool)) {
        _exit(1);
    }
    for (int i = 0; i < 8; i++) {
        numbers[i] = i;
        pthread_create(&threads[i], NULL, open_in_thread, &numbers[i]);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
    }
    apr_pool_destroy(pool);
    _exit(shared_faults != 0);
}

/* All children of an httpd meet a new file at once, and one of them makes the schema. */
static void test_new_file(apr_pool_t *root)
{
    int faults = 0;
    int tickets = 0;

    for (int round = 0; round < 10; round++) {
        fixture f;
        int status;

        fixture_open(&f, root);
        fflush(stdout);
        for (int i = 0; i < 3; i++) {
            if (fork() == 0) {
                open_in_process(&f);
            }
        }
        for (int i = 0; i < 3; i++) {
            wait(&status);
            faults += status != 0;
        }
        tickets += (int)number_of(&f, "SELECT count(*) FROM ticket");
        fixture_close(&f);
    }
    tap_is_int(faults, 0, "processes that open a new file at once all can use it");
    tap_is_int(tickets, 10 * 3 * 4, "and store their tickets");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_round_trip(pool);
    test_mail_row(pool);
    test_keys(pool);
    test_committed(pool);
    test_same_key_at_once(pool);
    test_numbers_and_times(pool);
    test_second_try(pool);
    test_status(pool);
    test_history(pool);
    test_changes_at_once(pool);
    test_lookups_at_once(pool);
    if (fixture_is("sqlite3")) {
        test_vacuum(pool);
        test_absent_folder(pool);
        test_moved_file(pool);
        test_foreign_file(pool);
    } else {
        test_schema_of_server(pool);
    }
    test_new_file(pool);
    test_killed_writers(pool, APR_LOCK_FCNTL, "fcntl");
    test_killed_writers(pool, APR_LOCK_SYSVSEM, "sysvsem");
    return tap_done();
}
