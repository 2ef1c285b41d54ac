-- The schema on SQLite, version 1. Each statement ends with a semicolon at the end of a line; the
-- program runs them one by one in one transaction. Times are UTC microseconds.

-- Both numbers are read before anything else is: the first tells our file from another program's,
-- the second tells what this file can do.
-- is: 1752396907 1
PRAGMA application_id = 1752396907;
PRAGMA user_version = 1;

-- status is hs_status: 0 open, 1 pending, 2 resolved, 3 closed. Numbers, because they are in four
-- indexes. Whoever inserts keeps created_us from going backwards (ticket_insert), so the order of
-- created_us is the order of number, whatever the clock does.
CREATE TABLE ticket (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT    NOT NULL UNIQUE,
    user_id      TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    phone_number TEXT    NOT NULL,
    email        TEXT    NOT NULL,
    email_key    TEXT    NOT NULL,
    status       INTEGER NOT NULL CHECK (status BETWEEN 0 AND 3),
    version      INTEGER NOT NULL,
    created_us   INTEGER NOT NULL,
    updated_us   INTEGER NOT NULL,
    message      TEXT    NOT NULL
) STRICT;

-- The list's indexes. Every one is paid for by each submission, so they are few and each serves
-- many lists: it begins with what selects, goes on with the order, and ends with what the other
-- filters test, so that no list reads a ticket that it does not answer. The first four grow at
-- their end only (a new ticket is the newest of all and of the open ones), which costs next to
-- nothing; only the last two are written at random places.

-- No filter, created_after, created_before, in order of creation; also skip, which walks it.
CREATE INDEX ticket_created ON ticket (created_us, number, updated_us);

-- No filter, updated_after, in order of the last change.
CREATE INDEX ticket_updated ON ticket (updated_us, number, created_us);

-- The same two by status. Several statuses are merged from several ranges of one index.
CREATE INDEX ticket_status_created ON ticket (status, created_us, number, updated_us);
CREATE INDEX ticket_status_updated ON ticket (status, updated_us, number, created_us);

-- One user's, one address's tickets. In order of the last change these few are sorted: an index
-- more for each would be two more random writes per submission.
CREATE INDEX ticket_user ON ticket (user_id, created_us, number, updated_us, status);
CREATE INDEX ticket_email ON ticket (email_key, created_us, number, updated_us, status);

-- The words of q. Without positions: rowids by word are all that a search needs. What was put in is
-- kept, for lists that walk another index and test each ticket. One and two letters have an index of their own, else they would be
-- merged from thousands of words. What is a word, hs_utf8_words decides on both sides: filled with words
-- between spaces (words_insert), because the tokenizer here takes what it does not know, such as
-- newer emoji, for letters; so no trigger on ticket can fill it. Whoever deletes a ticket by hand
-- leaves its words, which then find nothing. In order of rowid, which is order of creation, a search
-- stops when the page is full.
CREATE VIRTUAL TABLE ticket_words USING fts5 (
    words, columnsize = 0, detail = none, prefix = '1 2',
    tokenize = "unicode61 remove_diacritics 0 categories 'L* N* M*'"
);

-- Changes of status. That a ticket was created, and its first status, the ticket itself tells.
-- version is the ticket's after the change.
CREATE TABLE ticket_event (
    ticket      INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    at_us       INTEGER NOT NULL,
    from_status INTEGER NOT NULL,
    to_status   INTEGER NOT NULL,
    changed_by  TEXT    NOT NULL,
    PRIMARY KEY (ticket, version)
) STRICT, WITHOUT ROWID;

-- Which ticket an Idempotency-Key made, and the digest of what was sent with it.
CREATE TABLE idempotency_key (
    user_id    TEXT    NOT NULL,
    key_text   TEXT    NOT NULL,
    digest     TEXT    NOT NULL,
    ticket_id  TEXT    NOT NULL,
    created_us INTEGER NOT NULL,
    PRIMARY KEY (user_id, key_text)
) STRICT, WITHOUT ROWID;

-- Finds the expired keys, oldest first.
CREATE INDEX idempotency_key_created ON idempotency_key (created_us);

-- The outbox: one row per mail, written in the ticket's own transaction.
CREATE TABLE mail (
    id               INTEGER PRIMARY KEY,
    ticket           INTEGER NOT NULL,           -- number
    kind             TEXT    NOT NULL CHECK (kind IN ('confirmation')),
    site             TEXT    NOT NULL,           -- only a sender of this site may claim it
    recipient        TEXT    NOT NULL,
    recipient_key    TEXT    NOT NULL,           -- lower case, without +tag: limits count by it
    recipient_domain TEXT    NOT NULL,
    language         TEXT    NOT NULL,
    state            TEXT    NOT NULL
                     CHECK (state IN ('queued', 'sending', 'sent', 'failed', 'suppressed')),
    detail           TEXT    NOT NULL,           -- why it is so, for the administrator
    state_us         INTEGER NOT NULL,           -- since when; sending and each new try are queued
    created_us       INTEGER NOT NULL,
    next_us          INTEGER NOT NULL,           -- not to be claimed before; sending: the lease's end
    claims           INTEGER NOT NULL DEFAULT 0, -- claims without a result: parks a poisonous mail
    tries            INTEGER NOT NULL DEFAULT 0, -- answers of the relay that said "later"
    lease_token      TEXT,                       -- who finishes it must show this
    owner            TEXT,                       -- node and process that claimed it
    passed_us        INTEGER,                    -- when the limits let it pass: counts from then on
    message_id       TEXT    NOT NULL,           -- local part of the Message-ID, the same in each try
    message          TEXT                        -- the composed octets; NULL before the first claim
) STRICT;

-- One mail of a kind for each ticket, whatever is tried again; and the history's way to it.
CREATE UNIQUE INDEX mail_ticket ON mail (ticket, kind);

-- What is to be sent or was given up by a sender that died. Small: a mail leaves it when it is sent.
CREATE INDEX mail_next ON mail (site, next_us) WHERE state IN ('queued', 'sending');

-- Of these, what was claimed twice without a result: perhaps it kills its sender. Normally empty.
CREATE INDEX mail_suspect ON mail (site, next_us)
    WHERE state IN ('queued', 'sending') AND claims >= 2;

-- What has an end, in order of time, for the administrator and until its personal data is removed.
CREATE INDEX mail_ended ON mail (state, state_us)
    WHERE state IN ('sent', 'failed', 'suppressed') AND recipient <> '';

-- What the limits count. A mail enters them when it passes, so they cost a submission nothing.
CREATE INDEX mail_passed_recipient ON mail (recipient_key, created_us) WHERE passed_us IS NOT NULL;
CREATE INDEX mail_passed_domain ON mail (recipient_domain, passed_us) WHERE passed_us IS NOT NULL;
CREATE INDEX mail_passed_site ON mail (site, passed_us) WHERE passed_us IS NOT NULL;

-- 0 stands for never in expires_us, revoked_us, last_used_us. A few rows, so names need no index.
CREATE TABLE admin_token (
    digest       TEXT    NOT NULL PRIMARY KEY,
    name         TEXT    NOT NULL,
    scopes       INTEGER NOT NULL,
    created_us   INTEGER NOT NULL,
    expires_us   INTEGER NOT NULL,
    revoked_us   INTEGER NOT NULL DEFAULT 0,
    last_used_us INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
