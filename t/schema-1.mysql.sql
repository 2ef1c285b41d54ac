-- The schema on MariaDB (10.6 and later), version 1. Each statement ends with a semicolon at the end
-- of a line; helpsupportctl db init runs them one by one, under a lock. MariaDB can't undo them, so
-- all may be run again where an earlier run ended half-way. Times are UTC microseconds. What the
-- columns mean, schema.sqlite3.sql tells.
-- is: 1752396907 1

-- Stop words would be words that q does not find.
SET SESSION innodb_ft_enable_stopword = OFF;

-- ROW_FORMAT: the indexes are longer than other formats, which may be the server's default, allow.
-- varchar, not text: apr_dbd makes room for the longest that a column may hold. Version 0: not whole.
CREATE TABLE IF NOT EXISTS ticket (
    number       bigint         NOT NULL AUTO_INCREMENT PRIMARY KEY,
    id           char(36)       NOT NULL UNIQUE,
    user_id      varchar(128)   NOT NULL,
    name         varchar(200)   NOT NULL,
    phone_number varchar(32)    NOT NULL,
    email        varchar(254)   NOT NULL,
    email_key    varchar(254)   NOT NULL,
    status       smallint       NOT NULL CHECK (status BETWEEN 0 AND 3),
    version      bigint         NOT NULL,
    created_us   bigint         NOT NULL,
    updated_us   bigint         NOT NULL,
    message      varchar(10000) NOT NULL,
    INDEX ticket_created (created_us, number, updated_us),
    INDEX ticket_updated (updated_us, number, created_us),
    INDEX ticket_status_created (status, created_us, number, updated_us),
    INDEX ticket_status_updated (status, updated_us, number, created_us),
    INDEX ticket_user (user_id, created_us, number, updated_us, status),
    INDEX ticket_email (email_key, created_us, number, updated_us, status)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin COMMENT 'mod_helpsupport 1752396907 0';

-- The words of q, as hs_store_word writes them, between spaces. InnoDB indexes those of 3 to 84 letters.
CREATE TABLE IF NOT EXISTS ticket_words (
    ticket bigint     NOT NULL PRIMARY KEY,
    words  mediumtext NOT NULL,
    FULLTEXT INDEX ticket_words_words (words)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET ascii COLLATE ascii_bin;

CREATE TABLE IF NOT EXISTS ticket_event (
    ticket      bigint       NOT NULL,
    version     bigint       NOT NULL,
    at_us       bigint       NOT NULL,
    from_status smallint     NOT NULL,
    to_status   smallint     NOT NULL,
    changed_by  varchar(255) NOT NULL,
    PRIMARY KEY (ticket, version)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS idempotency_key (
    user_id    varchar(128) NOT NULL,
    key_text   varchar(255) NOT NULL,
    digest     varchar(64)  NOT NULL,
    ticket_id  char(36)     NOT NULL,
    created_us bigint       NOT NULL,
    PRIMARY KEY (user_id, key_text),
    INDEX idempotency_key_created (created_us)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS mail (
    id               bigint       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    ticket           bigint       NOT NULL,
    kind             varchar(20)  NOT NULL CHECK (kind IN ('confirmation')),
    site             varchar(255) NOT NULL,
    recipient        varchar(254) NOT NULL,
    recipient_key    varchar(254) NOT NULL,
    recipient_domain varchar(254) NOT NULL,
    language         varchar(64)  NOT NULL,
    state            varchar(10)  NOT NULL
                     CHECK (state IN ('queued', 'sending', 'sent', 'failed', 'suppressed')),
    detail           varchar(2000) NOT NULL,
    state_us         bigint       NOT NULL,
    created_us       bigint       NOT NULL,
    next_us          bigint       NOT NULL,
    claims           integer      NOT NULL DEFAULT 0,
    waits            smallint AS (CASE WHEN state IN ('queued', 'sending') THEN claims >= 2 END)
                     STORED, -- 1: perhaps it kills its sender
    is_kept          smallint AS (recipient <> '') STORED,
    tries            integer      NOT NULL DEFAULT 0,
    lease_token      varchar(64),
    owner            varchar(255),
    passed_us        bigint,
    message_id       varchar(64)  NOT NULL,
    message          mediumtext,
    UNIQUE INDEX mail_ticket (ticket, kind),
    INDEX mail_next (site, waits, next_us),
    INDEX mail_ended (state, is_kept, state_us),
    INDEX mail_passed_recipient (recipient_key, created_us),
    INDEX mail_passed_domain (recipient_domain, passed_us),
    INDEX mail_passed_site (site, passed_us)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS admin_token (
    digest       varchar(64)  NOT NULL PRIMARY KEY,
    name         varchar(255) NOT NULL,
    scopes       integer      NOT NULL,
    created_us   bigint       NOT NULL,
    expires_us   bigint       NOT NULL,
    revoked_us   bigint       NOT NULL DEFAULT 0,
    last_used_us bigint       NOT NULL DEFAULT 0
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

-- Last: the schema is whole.
ALTER TABLE ticket COMMENT 'mod_helpsupport 1752396907 1';
