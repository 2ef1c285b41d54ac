-- How an SQLite database of an earlier version becomes one of this version: the statements of each
-- step, of which the last tells the new version. All are run in one transaction. What makes a step
-- safe against an httpd of the earlier version, hs_store_migrate.c tells.

-- The words of all tickets are put into search_waiting before the last statement.
-- from: 1
DROP TABLE ticket_words;

CREATE TABLE search_waiting (
    ticket INTEGER PRIMARY KEY,
    words  TEXT    NOT NULL
) STRICT;

CREATE TABLE search_segment (
    id          INTEGER PRIMARY KEY,
    tickets     INTEGER NOT NULL,
    from_number INTEGER NOT NULL,
    to_number   INTEGER NOT NULL,
    last_us     INTEGER NOT NULL,
    disorder_us INTEGER NOT NULL,
    fences      TEXT    NOT NULL
) STRICT;

CREATE TABLE search_page (
    segment  INTEGER NOT NULL,
    page     INTEGER NOT NULL, -- from 0
    postings TEXT    NOT NULL,
    PRIMARY KEY (segment, page)
) STRICT;

PRAGMA user_version = 2;
