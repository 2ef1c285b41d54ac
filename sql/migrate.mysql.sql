-- How a MariaDB database of an earlier version becomes one of this version: see migrate.sqlite3.sql.
-- Nothing here can be undone, so a step that was ended half-way is begun anew, and each statement
-- must bear that.

-- from: 1
DROP TABLE IF EXISTS ticket_words, search_waiting;

CREATE TABLE search_waiting (
    ticket bigint     NOT NULL PRIMARY KEY,
    words  mediumtext NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS search_segment (
    id          bigint     NOT NULL PRIMARY KEY,
    tickets     bigint     NOT NULL,
    from_number bigint     NOT NULL,
    to_number   bigint     NOT NULL,
    last_us     bigint     NOT NULL,
    disorder_us bigint     NOT NULL,
    fences      mediumtext NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS search_page (
    segment  bigint         NOT NULL,
    page     integer        NOT NULL,
    postings varchar(12000) NOT NULL,
    PRIMARY KEY (segment, page)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

ALTER TABLE ticket COMMENT 'mod_helpsupport 1752396907 2';
