-- How a PostgreSQL database of an earlier version becomes one of this version: see
-- migrate.sqlite3.sql.

-- from: 1
ALTER TABLE ticket DROP COLUMN words;

CREATE TABLE search_waiting (
    ticket bigint NOT NULL PRIMARY KEY,
    words  text   NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
CREATE TABLE search_segment (
    id          bigint NOT NULL PRIMARY KEY,
    tickets     bigint NOT NULL,
    from_number bigint NOT NULL,
    to_number   bigint NOT NULL,
    last_us     bigint NOT NULL,
    disorder_us bigint NOT NULL,
    fences      text   NOT NULL
);
CREATE TABLE search_page (
    segment  bigint  NOT NULL,
    page     integer NOT NULL,
    postings text    NOT NULL,
    PRIMARY KEY (segment, page)
);

COMMENT ON TABLE ticket IS 'mod_helpsupport 1752396907 2';
