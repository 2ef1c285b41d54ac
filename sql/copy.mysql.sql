-- How rows come into MariaDB, and what holds its writers up: see copy.sql. JSON_TABLE cuts what is
-- too long without a word, so its columns have room for one character more than the tables', which
-- refuse it.

-- Ends the transaction that was begun, and lasts as long as the session.
-- command: copy_hold
LOCK TABLES ticket READ, ticket_event READ, idempotency_key READ, mail READ, admin_token READ,
    search_waiting READ, search_segment READ, search_page READ

-- MariaDB enters no index by a pair: the first value comes twice.
-- name: copy_read_event
SELECT ticket, version, at_us, from_status, to_status, changed_by
FROM ticket_event WHERE ticket > %lld OR (ticket = %lld AND version > %lld)
ORDER BY ticket, version LIMIT %lld

-- name: copy_read_key
SELECT user_id, key_text, digest, ticket_id, created_us
FROM idempotency_key WHERE user_id > %s OR (user_id = %s AND key_text > %s)
ORDER BY user_id, key_text LIMIT %lld

-- name: copy_read_page
SELECT segment, page, postings
FROM search_page WHERE segment > %lld OR (segment = %lld AND page > %lld)
ORDER BY segment, page LIMIT %lld

-- name: copy_ticket
INSERT INTO ticket (number, id, user_id, name, phone_number, email, message, status, version,
                    created_us, updated_us, email_key)
SELECT j.number, j.id, j.user_id, j.name, j.phone_number, j.email, j.message, j.status,
       j.version, j.created_us, j.updated_us, j.email_key
FROM JSON_TABLE(%s, '$[*]' COLUMNS (
        number bigint PATH '$[0]',
        id varchar(37) CHARACTER SET utf8mb4 PATH '$[1]',
        user_id varchar(129) CHARACTER SET utf8mb4 PATH '$[2]',
        name varchar(201) CHARACTER SET utf8mb4 PATH '$[3]',
        phone_number varchar(33) CHARACTER SET utf8mb4 PATH '$[4]',
        email varchar(255) CHARACTER SET utf8mb4 PATH '$[5]',
        message varchar(10001) CHARACTER SET utf8mb4 PATH '$[6]',
        status bigint PATH '$[7]',
        version bigint PATH '$[8]',
        created_us bigint PATH '$[9]',
        updated_us bigint PATH '$[10]',
        email_key varchar(255) CHARACTER SET utf8mb4 PATH '$[11]')) AS j

-- name: copy_event
INSERT INTO ticket_event (ticket, version, at_us, from_status, to_status, changed_by)
SELECT j.ticket, j.version, j.at_us, j.from_status, j.to_status, j.changed_by
FROM JSON_TABLE(%s, '$[*]' COLUMNS (
        ticket bigint PATH '$[0]',
        version bigint PATH '$[1]',
        at_us bigint PATH '$[2]',
        from_status bigint PATH '$[3]',
        to_status bigint PATH '$[4]',
        changed_by varchar(256) CHARACTER SET utf8mb4 PATH '$[5]')) AS j

-- name: copy_key
INSERT INTO idempotency_key (user_id, key_text, digest, ticket_id, created_us)
SELECT j.user_id, j.key_text, j.digest, j.ticket_id, j.created_us
FROM JSON_TABLE(%s, '$[*]' COLUMNS (
        user_id varchar(129) CHARACTER SET utf8mb4 PATH '$[0]',
        key_text varchar(256) CHARACTER SET utf8mb4 PATH '$[1]',
        digest varchar(65) CHARACTER SET utf8mb4 PATH '$[2]',
        ticket_id varchar(37) CHARACTER SET utf8mb4 PATH '$[3]',
        created_us bigint PATH '$[4]')) AS j

-- name: copy_mail
INSERT INTO mail (id, ticket, kind, site, recipient, recipient_key, recipient_domain, language,
                  state, detail, state_us, created_us, next_us, claims, tries, passed_us,
                  message_id, message)
SELECT j.id, j.ticket, j.kind, j.site, j.recipient, j.recipient_key, j.recipient_domain,
       j.language, j.state, j.detail, j.state_us, j.created_us, j.next_us, j.claims, j.tries,
       j.passed_us, j.message_id, j.message
FROM JSON_TABLE(%s, '$[*]' COLUMNS (
        id bigint PATH '$[0]',
        ticket bigint PATH '$[1]',
        kind varchar(21) CHARACTER SET utf8mb4 PATH '$[2]',
        site varchar(256) CHARACTER SET utf8mb4 PATH '$[3]',
        recipient varchar(255) CHARACTER SET utf8mb4 PATH '$[4]',
        recipient_key varchar(255) CHARACTER SET utf8mb4 PATH '$[5]',
        recipient_domain varchar(255) CHARACTER SET utf8mb4 PATH '$[6]',
        language varchar(65) CHARACTER SET utf8mb4 PATH '$[7]',
        state varchar(11) CHARACTER SET utf8mb4 PATH '$[8]',
        detail varchar(2001) CHARACTER SET utf8mb4 PATH '$[9]',
        state_us bigint PATH '$[10]',
        created_us bigint PATH '$[11]',
        next_us bigint PATH '$[12]',
        claims bigint PATH '$[13]',
        tries bigint PATH '$[14]',
        passed_us bigint PATH '$[15]',
        message_id varchar(65) CHARACTER SET utf8mb4 PATH '$[16]',
        message mediumtext CHARACTER SET utf8mb4 PATH '$[17]')) AS j

-- name: copy_token
INSERT INTO admin_token (digest, name, scopes, created_us, expires_us, revoked_us, last_used_us)
SELECT j.digest, j.name, j.scopes, j.created_us, j.expires_us, j.revoked_us, j.last_used_us
FROM JSON_TABLE(%s, '$[*]' COLUMNS (
        digest varchar(65) CHARACTER SET utf8mb4 PATH '$[0]',
        name varchar(256) CHARACTER SET utf8mb4 PATH '$[1]',
        scopes bigint PATH '$[2]',
        created_us bigint PATH '$[3]',
        expires_us bigint PATH '$[4]',
        revoked_us bigint PATH '$[5]',
        last_used_us bigint PATH '$[6]')) AS j

-- name: copy_words
INSERT INTO search_waiting (ticket, words)
SELECT j.ticket, j.words
FROM JSON_TABLE(%s, '$[*]' COLUMNS (
        ticket bigint PATH '$[0]',
        words mediumtext CHARACTER SET utf8mb4 PATH '$[1]')) AS j

-- name: copy_segment
INSERT INTO search_segment (id, tickets, from_number, to_number, last_us, disorder_us, fences)
SELECT j.id, j.tickets, j.from_number, j.to_number, j.last_us, j.disorder_us, j.fences
FROM JSON_TABLE(%s, '$[*]' COLUMNS (
        id bigint PATH '$[0]',
        tickets bigint PATH '$[1]',
        from_number bigint PATH '$[2]',
        to_number bigint PATH '$[3]',
        last_us bigint PATH '$[4]',
        disorder_us bigint PATH '$[5]',
        fences mediumtext CHARACTER SET utf8mb4 PATH '$[6]')) AS j

-- name: copy_page
INSERT INTO search_page (segment, page, postings)
SELECT j.segment, j.page, j.postings
FROM JSON_TABLE(%s, '$[*]' COLUMNS (
        segment bigint PATH '$[0]',
        page bigint PATH '$[1]',
        postings varchar(12001) CHARACTER SET utf8mb4 PATH '$[2]')) AS j
