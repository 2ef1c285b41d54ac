-- The schema on SQLite, version 2. Each statement ends with a semicolon at the end of a line; the
-- program runs them one by one in one transaction. Times are UTC microseconds.

-- Both numbers are read before anything else is: the first tells our file from another program's,
-- the second tells what this file can do.
-- is: 1752396907 2
PRAGMA application_id = 1752396907;
PRAGMA user_version = 2;

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

-- What q finds tickets by: hs_utf8_words of name, email and message. The words of new tickets wait
-- here, between spaces, and a search looks through all of them. The mail process moves them into the
-- index below, hundreds of tickets at once (hs_store_index.c). No full-text index of a database does
-- what the contract says: each has its own idea of a word, and none can say quickly that two common
-- words hardly ever meet. Not named as the table of version 1 was (ticket_words): an httpd of that
-- version that still runs would otherwise go on to put words of another form here.
CREATE TABLE search_waiting (
    ticket INTEGER PRIMARY KEY,
    words  TEXT    NOT NULL
) STRICT;

-- The index: segments that are written once (hs_segment.h), and merged as they grow many. A ticket
-- is in one of them, or waits above. Whoever deletes a ticket by hand leaves it in them, where
-- nobody finds it. id is random: a reader whose segment was merged away finds no page, and begins
-- anew. No ticket of it was created after last_us. disorder_us: as much earlier than one of a lower
-- number was a ticket of this segment, or of one it was merged of, created; 0 in this database, where
-- order of creation is order of number. A copy of a database that several nodes wrote (db copy) keeps
-- both as they were there, though it makes some tickets later so that they are in this order: a
-- ticket may then be later than last_us, and disorder_us above 0. Searches find the same: they read a
-- little more than they need.
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
