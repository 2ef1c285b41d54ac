/* sqlite_insert.c - how fast one process inserts tickets into SQLite, without a server. */
/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_insert FILE BATCH SECONDS: BATCH tickets a transaction, each with its mail and its words,
 * into a database of ours, with the settings that the module has; prints tickets per second. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static sqlite3 *db;

static void check(int status, int expected, const char *what)
{
    if (status != expected) {
        fprintf(stderr, "%s: %s\n", what, sqlite3_errmsg(db));
        exit(1);
    }
}

static void execute(const char *sql)
{
    check(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK, sql);
}

static sqlite3_stmt *prepare(const char *sql)
{
    sqlite3_stmt *statement;

    check(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK, sql);
    return statement;
}

static void step(sqlite3_stmt *statement)
{
    check(sqlite3_step(statement), SQLITE_DONE, sqlite3_sql(statement));
    sqlite3_reset(statement);
}

static void bind(sqlite3_stmt *statement, int place, const char *text)
{
    check(sqlite3_bind_text(statement, place, text, -1, SQLITE_STATIC), SQLITE_OK, "bind");
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void insert(sqlite3_stmt *ticket, sqlite3_stmt *mail, sqlite3_stmt *words, long serial)
{
    char id[40], user[24], name[48], email[48], message[200], text[320];
    long n = lrand48() % 1000000000;
    struct timespec time;
    sqlite3_int64 now_us, number;

    clock_gettime(CLOCK_REALTIME, &time);
    now_us = (sqlite3_int64)time.tv_sec * 1000000 + time.tv_nsec / 1000;
    snprintf(id, sizeof(id), "%08llx-%04llx-7%03lx-8%03lx-%06lx%06lx",
             (unsigned long long)now_us / 1000 >> 16, (unsigned long long)now_us / 1000 & 0xffff,
             lrand48() & 0xfff, lrand48() & 0xfff, lrand48() & 0xffffff, lrand48() & 0xffffff);
    snprintf(user, sizeof(user), "user%ld", n % 1000);
    snprintf(name, sizeof(name), "Customer Number %ld", n);
    snprintf(email, sizeof(email), "customer%ld@example.org", n);
    snprintf(message, sizeof(message),
             "Ticket %ld.%ld: my order has not arrived yet, the tracking page shows no news since "
             "last week. Could you please look into it?",
             n, serial);
    bind(ticket, 1, id);
    bind(ticket, 2, user);
    bind(ticket, 3, name);
    bind(ticket, 4, email);
    bind(ticket, 5, message);
    sqlite3_bind_int64(ticket, 6, now_us);
    step(ticket);
    number = sqlite3_last_insert_rowid(db);
    sqlite3_bind_int64(mail, 1, number);
    bind(mail, 2, email);
    sqlite3_bind_int64(mail, 3, now_us);
    bind(mail, 4, id);
    step(mail);
    snprintf(text, sizeof(text), " %s %s %s", name, email, message);
    sqlite3_bind_int64(words, 1, number);
    bind(words, 2, text);
    step(words);
}

int main(int argc, char **argv)
{
    sqlite3_stmt *begin, *commit, *ticket, *mail, *words;
    double start, end;
    long count = 0, batch;

    if (argc != 4) {
        return 2;
    }
    batch = strtol(argv[2], NULL, 10);
    check(sqlite3_open(argv[1], &db), SQLITE_OK, argv[1]);
    execute("PRAGMA journal_mode = WAL");
    execute("PRAGMA synchronous = FULL");
    execute("PRAGMA wal_autocheckpoint = 4000");
    execute("PRAGMA cache_size = -8000");
    begin = prepare("BEGIN IMMEDIATE");
    commit = prepare("COMMIT");
    ticket = prepare("INSERT INTO ticket (id, user_id, name, phone_number, email, email_key, "
                     "message, status, version, created_us, updated_us) "
                     "VALUES (?1, ?2, ?3, '+1-555-0001234', ?4, ?4, ?5, 0, 1, ?6, ?6)");
    mail = prepare("INSERT INTO mail (ticket, kind, site, recipient, recipient_key, "
                   "recipient_domain, language, state, detail, state_us, created_us, next_us, "
                   "message_id) VALUES (?1, 'confirmation', '127.0.0.1', ?2, ?2, 'example.org', "
                   "'en', 'suppressed', 'mail off', ?3, ?3, ?3, 'hs.' || ?4)");
    words = prepare("INSERT INTO search_waiting (ticket, words) VALUES (?1, ?2)");
    srand48(time(NULL));
    start = now();
    end = start + strtod(argv[3], NULL);
    do {
        step(begin);
        for (long i = 0; i < batch; i++) {
            insert(ticket, mail, words, count++);
        }
        step(commit);
    } while (now() < end);
    printf("%.0f\n", (double)count / (now() - start));
    return 0;
}
