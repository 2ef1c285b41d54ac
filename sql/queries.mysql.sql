-- What the store asks of MariaDB, in the notation of queries.sqlite3.sql.

-- Microseconds. Whatever node asks, leases and times go by this clock.
-- option: clock
SELECT CAST(unix_timestamp(sysdate(6)) * 1000000 AS signed)

-- A name may have 64 letters, and so may a database's.
-- option: schema_lock
SELECT coalesce(GET_LOCK(concat('helpsupport ', md5(database())), 8), 0)

-- option: schema_unlock
SELECT RELEASE_LOCK(concat('helpsupport ', md5(database())))

-- name: schema_state
SELECT CASE WHEN mark IS NULL THEN 0 ELSE CAST(substring_index(substring_index(mark, ' ', 2), ' ', -1) AS signed) END,
       CASE WHEN mark IS NULL THEN 0 ELSE CAST(substring_index(mark, ' ', -1) AS signed) END,
       (SELECT count(*) FROM information_schema.tables WHERE table_schema = database()),
       CASE WHEN database() IS NULL THEN 'name it: dbname=...' ELSE NULL END
FROM (SELECT (SELECT table_comment FROM information_schema.tables
              WHERE table_schema = database() AND table_name = 'ticket'
              AND table_comment LIKE 'mod_helpsupport _%% _%%') AS mark) AS m

-- The keys of a batch [user_id, key, digest, ticket id], now, and how old a key may grow. The first
-- assignment decides, the others follow it.
-- option: key_claim
INSERT INTO idempotency_key (user_id, key_text, digest, ticket_id, created_us)
SELECT j.user_id, j.key_text, j.digest, j.ticket_id, now.us
FROM JSON_TABLE(%s, '$[*]' COLUMNS (
        ordinal FOR ORDINALITY,
        user_id varchar(128) CHARACTER SET utf8mb4 PATH '$[0]',
        key_text varchar(255) CHARACTER SET utf8mb4 PATH '$[1]',
        digest varchar(64) CHARACTER SET utf8mb4 PATH '$[2]',
        ticket_id varchar(36) CHARACTER SET utf8mb4 PATH '$[3]')) AS j
CROSS JOIN (SELECT %lld AS us) AS now
ORDER BY j.user_id, j.key_text, j.ordinal
ON DUPLICATE KEY UPDATE
    ticket_id = CASE WHEN idempotency_key.created_us <= VALUES(created_us) - %lld
                THEN VALUES(ticket_id) ELSE idempotency_key.ticket_id END,
    digest = CASE WHEN idempotency_key.ticket_id = VALUES(ticket_id)
             THEN VALUES(digest) ELSE idempotency_key.digest END,
    created_us = CASE WHEN idempotency_key.ticket_id = VALUES(ticket_id)
                 THEN VALUES(created_us) ELSE idempotency_key.created_us END

-- option: key_purge
DELETE FROM idempotency_key WHERE created_us <= %lld ORDER BY created_us LIMIT %lld

-- name: key_read
SELECT j.ordinal - 1, k.digest, t.id, t.number, t.created_us
FROM JSON_TABLE(%s, '$[*]' COLUMNS (
        ordinal FOR ORDINALITY,
        user_id varchar(128) CHARACTER SET utf8mb4 PATH '$[0]',
        key_text varchar(255) CHARACTER SET utf8mb4 PATH '$[1]')) AS j
JOIN idempotency_key AS k ON k.user_id = j.user_id AND k.key_text = j.key_text
JOIN ticket AS t ON t.id = k.ticket_id
ORDER BY j.ordinal

-- option: ticket_insert
INSERT INTO ticket (id, user_id, name, phone_number, email, email_key, message,
                    status, version, created_us, updated_us)
SELECT j.id, j.user_id, j.name, j.phone_number, j.email, j.email_key, j.message,
       0, 1, now.us, now.us
FROM (SELECT %lld AS us) AS now
CROSS JOIN JSON_TABLE(%s, '$[*]' COLUMNS (
        ordinal FOR ORDINALITY,
        id varchar(36) CHARACTER SET utf8mb4 PATH '$[0]',
        user_id varchar(128) CHARACTER SET utf8mb4 PATH '$[1]',
        name varchar(200) CHARACTER SET utf8mb4 PATH '$[2]',
        phone_number varchar(32) CHARACTER SET utf8mb4 PATH '$[3]',
        email varchar(254) CHARACTER SET utf8mb4 PATH '$[4]',
        email_key varchar(254) CHARACTER SET utf8mb4 PATH '$[5]',
        message varchar(10000) CHARACTER SET utf8mb4 PATH '$[6]',
        key_text varchar(255) CHARACTER SET utf8mb4 PATH '$[7]')) AS j
WHERE NOT EXISTS (SELECT 1 FROM idempotency_key AS k
                  WHERE k.user_id = j.user_id AND k.key_text = j.key_text
                  AND k.ticket_id <> j.id)
ORDER BY j.ordinal
ON DUPLICATE KEY UPDATE id = ticket.id
RETURNING id, number, created_us

-- name: ticket_look
SELECT t.id, t.number, t.created_us
FROM JSON_TABLE(%s, '$[*]' COLUMNS (
        id varchar(36) CHARACTER SET utf8mb4 PATH '$[0]')) AS j JOIN ticket AS t ON t.id = j.id

-- A try of before may have stored them, and they may be in the index already: that is no harm.
-- option: words_insert
INSERT INTO search_waiting (ticket, words)
SELECT j.number, j.words
FROM JSON_TABLE(%s, '$[*]' COLUMNS (
        number bigint PATH '$[0]',
        words mediumtext CHARACTER SET utf8mb4 PATH '$[1]')) AS j
ON DUPLICATE KEY UPDATE ticket = search_waiting.ticket

-- FORCE INDEX, here and below: of a small table MariaDB would rather read all rows, and lock them.
-- option: mail_insert
INSERT INTO mail (ticket, kind, site, recipient, recipient_key, recipient_domain, language,
                  state, detail, state_us, created_us, next_us, message_id)
SELECT t.number, j.kind, j.site, t.email, j.recipient_key, j.recipient_domain, j.language,
       CASE WHEN j.reason IS NULL THEN 'queued' ELSE 'suppressed' END, coalesce(j.reason, ''),
       t.created_us, t.created_us, t.created_us, concat('hs.', t.number, '.', j.random)
FROM JSON_TABLE(%s, '$[*]' COLUMNS (
        id varchar(36) CHARACTER SET utf8mb4 PATH '$[0]',
        kind varchar(20) CHARACTER SET utf8mb4 PATH '$[1]',
        site varchar(255) CHARACTER SET utf8mb4 PATH '$[2]',
        recipient_key varchar(254) CHARACTER SET utf8mb4 PATH '$[3]',
        recipient_domain varchar(254) CHARACTER SET utf8mb4 PATH '$[4]',
        language varchar(64) CHARACTER SET utf8mb4 PATH '$[5]',
        reason varchar(2000) CHARACTER SET utf8mb4 PATH '$[6]',
        random varchar(40) CHARACTER SET utf8mb4 PATH '$[7]')) AS j
JOIN ticket AS t FORCE INDEX (id) ON t.id = j.id
ON DUPLICATE KEY UPDATE ticket = mail.ticket

-- name: ticket_by_id
SELECT number, id, user_id, name, phone_number, email, message,
       status, version, created_us, updated_us
FROM ticket WHERE id = %s

-- name: ticket_by_number
SELECT number, id, user_id, name, phone_number, email, message,
       status, version, created_us, updated_us
FROM ticket WHERE number = %lld

-- Several at once: a JSON array of ids and one of numbers.
-- option: tickets_by_ref
SELECT t.number, t.id, t.user_id, t.name, t.phone_number, t.email, t.message,
       t.status, t.version, t.created_us, t.updated_us
FROM JSON_TABLE(%s, '$[*]' COLUMNS (
        id varchar(36) CHARACTER SET utf8mb4 PATH '$')) AS j JOIN ticket AS t ON t.id = j.id
UNION ALL
SELECT t.number, t.id, t.user_id, t.name, t.phone_number, t.email, t.message,
       t.status, t.version, t.created_us, t.updated_us
FROM JSON_TABLE(%s, '$[*]' COLUMNS (number bigint PATH '$')) AS j
JOIN ticket AS t ON t.number = j.number

-- Last the place in the batch, from 0, and the clock.
-- name: status_read
SELECT t.number, t.id, t.user_id, t.name, t.phone_number, t.email, t.message,
       t.status, t.version, t.created_us, t.updated_us, j.ordinal - 1,
       CAST(unix_timestamp(sysdate(6)) * 1000000 AS signed)
FROM JSON_TABLE(%s, '$[*]' COLUMNS (
        ordinal FOR ORDINALITY,
        id varchar(36) CHARACTER SET utf8mb4 PATH '$[0]',
        number bigint PATH '$[1]')) AS j
JOIN ticket AS t FORCE INDEX (PRIMARY)
    ON t.number = coalesce(j.number, (SELECT number FROM ticket WHERE id = j.id))
ORDER BY t.number, j.ordinal FOR UPDATE

-- name: status_write
UPDATE JSON_TABLE(%s, '$[*]' COLUMNS (
        number bigint PATH '$[0]',
        status smallint PATH '$[1]',
        version bigint PATH '$[2]',
        updated_us bigint PATH '$[3]')) AS j
JOIN ticket FORCE INDEX (PRIMARY) ON ticket.number = j.number
SET ticket.status = j.status, ticket.version = j.version, ticket.updated_us = j.updated_us

-- name: event_insert
INSERT INTO ticket_event (ticket, version, at_us, from_status, to_status, changed_by)
SELECT j.ticket, j.version, j.at_us, j.from_status, j.to_status, j.changed_by
FROM JSON_TABLE(%s, '$[*]' COLUMNS (
        ticket bigint PATH '$[0]',
        version bigint PATH '$[1]',
        at_us bigint PATH '$[2]',
        from_status smallint PATH '$[3]',
        to_status smallint PATH '$[4]',
        changed_by varchar(255) CHARACTER SET utf8mb4 PATH '$[5]')) AS j

-- name: history
SELECT at_us, event, a, b, c FROM
    (SELECT at_us, 'status' AS event, CAST(from_status AS char(20)) AS a,
            CAST(to_status AS char(20)) AS b, changed_by AS c, 2 AS place, version AS id
     FROM ticket_event WHERE ticket = %lld
     UNION ALL
     SELECT state_us, 'mail', kind, CASE state WHEN 'sending' THEN 'queued' ELSE state END, detail,
            1, id
     FROM mail WHERE ticket = %lld) AS h
ORDER BY at_us, place, id

-- Its own choice is the index of the ids.
-- name: ticket_count
SELECT count(*) FROM ticket FORCE INDEX (ticket_created)

-- The list is put together from these: hs_store_compose.c.
-- fragment: list_columns
SELECT t.number, t.id, t.user_id, t.name, t.phone_number, t.email, t.message,
       t.status, t.version, t.created_us, t.updated_us

-- fragment: list_keys
SELECT t.number, t.created_us, t.updated_us

-- A page of keys, whose tickets are then fetched.
-- fragment: list_page_head
SELECT t.number, t.id, t.user_id, t.name, t.phone_number, t.email, t.message,
       t.status, t.version, t.created_us, t.updated_us
FROM (

-- fragment: list_page_tail
) AS page STRAIGHT_JOIN ticket AS t ON t.number = page.number

-- All of an arm, and of several.
-- fragment: list_count
SELECT count(*) AS n

-- fragment: list_sum_head
SELECT sum(n) FROM (

-- fragment: list_sum_tail
) AS arms

-- No more than a limit inside.
-- fragment: list_count_head
SELECT count(*) FROM (

-- fragment: list_count_tail
) AS counted

-- A sample: how many tickets it has, and how many of them pass the tests.
-- fragment: list_sample_head
SELECT count(*), coalesce(sum(CASE WHEN hit THEN 1 ELSE 0 END), 0) FROM (

-- fragment: list_sample
SELECT true

-- fragment: list_sample_hit
AS hit, t.number, t.created_us, t.updated_us

-- fragment: list_sample_tail
) AS sample

-- Around each of several arms, with order and limit in it: a union is made as a whole.
-- extra: list_arm_open
(

-- extra: list_arm_close
)

-- Around keys: how many, and all of them as one text, in no order. For thousands of keys that takes a
-- tenth of the time of as many rows. The session makes room for all that may come.
-- fragment: list_packed_created
SELECT count(*), group_concat(k.number, ' ', k.created_us) FROM (

-- fragment: list_packed_updated
SELECT count(*), group_concat(k.number, ' ', k.updated_us) FROM (

-- fragment: list_packed_tail
) AS k

-- fragment: list_from_created
FROM ticket AS t FORCE INDEX (ticket_created)

-- fragment: list_from_updated
FROM ticket AS t FORCE INDEX (ticket_updated)

-- fragment: list_from_status_created
FROM ticket AS t FORCE INDEX (ticket_status_created)

-- fragment: list_from_status_updated
FROM ticket AS t FORCE INDEX (ticket_status_updated)

-- fragment: list_from_user
FROM ticket AS t FORCE INDEX (ticket_user)

-- fragment: list_from_email
FROM ticket AS t FORCE INDEX (ticket_email)

-- Of a JSON array of numbers.
-- fragment: list_from_found
FROM JSON_TABLE(%s, '$[*]' COLUMNS (found bigint PATH '$')) AS f
STRAIGHT_JOIN ticket AS t FORCE INDEX (PRIMARY) ON t.number = f.found

-- fragment: list_where
WHERE true

-- fragment: list_union
UNION ALL

-- fragment: list_is_status
AND status = %lld

-- fragment: list_is_user
AND user_id = %s

-- fragment: list_is_email
AND email_key = %s

-- fragment: list_test_status
AND (1 << status) & %lld <> 0

-- fragment: list_test_user
AND user_id = %s

-- fragment: list_test_email
AND email_key = %s

-- An index is entered by the first condition only: MariaDB takes no pair for a range.
-- fragment: list_created_from
AND created_us >= %lld AND (created_us > %lld OR number > %lld)

-- fragment: list_created_to
AND created_us <= %lld AND (created_us < %lld OR number < %lld)

-- fragment: list_updated_from
AND updated_us >= %lld AND (updated_us > %lld OR number > %lld)

-- fragment: list_updated_to
AND updated_us <= %lld AND (updated_us < %lld OR number < %lld)

-- fragment: list_order_created
ORDER BY created_us, number

-- fragment: list_order_created_desc
ORDER BY created_us DESC, number DESC

-- fragment: list_order_updated
ORDER BY updated_us, number

-- fragment: list_order_updated_desc
ORDER BY updated_us DESC, number DESC

-- fragment: list_limit
LIMIT %lld OFFSET %lld

-- The index of words (hs_segment.h). Whether hundreds of tickets wait for it: counts no further.
-- name: index_waiting_count
SELECT count(*) FROM (SELECT 1 FROM search_waiting LIMIT %lld) AS w

-- name: index_waiting
SELECT ticket, words FROM search_waiting ORDER BY ticket LIMIT %lld

-- Of tickets from a number to another, some at a time: when the last was created, by how much one was
-- created earlier than another of a lower number, and the number up to which that is. The first value
-- is when the last ticket below was created.
-- In two levels: MariaDB looks through all of a window again for each of its rows, so that one of
-- 16,000 tickets took 4 s.
-- name: index_times
SELECT max(b.top), coalesce(max(greatest(b.inside, greatest(%lld, b.earlier) - b.low)), 0),
       max(b.number)
FROM (SELECT number, top, low, inside, coalesce(max(top) OVER (
                 ORDER BY block ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS earlier
      FROM (SELECT block, max(number) AS number, max(created_us) AS top, min(created_us) AS low,
                   max(us - created_us) AS inside
            FROM (SELECT number DIV 128 AS block, number, created_us,
                         max(created_us) OVER (PARTITION BY number DIV 128 ORDER BY number) AS us
                  FROM (SELECT number, created_us FROM ticket WHERE number BETWEEN %lld AND %lld
                        ORDER BY number LIMIT 65536) AS t) AS t
            GROUP BY block) AS t) AS b

-- Who moves tickets into a segment takes them and the segments that are merged with them away, or,
-- where somebody else was first, does nothing. JSON arrays of numbers and of segments.
-- name: index_take_waiting
DELETE w FROM JSON_TABLE(%s, '$[*]' COLUMNS (number bigint PATH '$')) AS j STRAIGHT_JOIN search_waiting AS w
    FORCE INDEX (PRIMARY) ON w.ticket = j.number

-- name: index_take_segments
DELETE w FROM JSON_TABLE(%s, '$[*]' COLUMNS (number bigint PATH '$')) AS j STRAIGHT_JOIN search_segment AS w
    FORCE INDEX (PRIMARY) ON w.id = j.number

-- name: index_take_pages
DELETE w FROM JSON_TABLE(%s, '$[*]' COLUMNS (number bigint PATH '$')) AS j STRAIGHT_JOIN search_page AS w
    FORCE INDEX (PRIMARY) ON w.segment = j.number

-- name: index_put_segment
INSERT INTO search_segment (id, tickets, from_number, to_number, last_us, disorder_us, fences)
VALUES (%lld, %lld, %lld, %lld, %lld, %lld, %s)

-- Pages [segment, page, postings].
-- name: index_put_pages
INSERT INTO search_page (segment, page, postings)
SELECT j.segment, j.page, j.postings
FROM JSON_TABLE(%s, '$[*]' COLUMNS (
        segment bigint PATH '$[0]',
        page integer PATH '$[1]',
        postings varchar(12001) CHARACTER SET utf8mb4 PATH '$[2]')) AS j

-- name: index_segments
SELECT id, tickets, from_number, to_number, last_us, disorder_us, fences FROM search_segment

-- name: index_pages
SELECT postings FROM search_page WHERE segment = %lld ORDER BY page

-- A search. Which tickets that wait, behind a number, have all words: how many, at most so many, and
-- their numbers as one text, in no order, for the reason above (list_packed_created). The condition is
-- cut into pieces: SQLite takes none that is nested too deeply, and what stands side by side is, for
-- it.
-- fragment: search_waiting
SELECT count(*), group_concat(k.ticket) FROM (
SELECT ticket FROM search_waiting AS w WHERE ticket > %lld AND (true

-- fragment: search_waiting_word
AND instr(w.words, concat(' ', %s)) > 0

-- fragment: search_waiting_piece
) AND (true

-- fragment: search_waiting_end
)
ORDER BY ticket LIMIT %lld) AS k

-- When the first ticket from a time on and the last up to another were created, of those that do not
-- wait; and the disorder of the index.
-- name: search_range
SELECT (SELECT created_us FROM ticket AS t FORCE INDEX (ticket_created)
        WHERE created_us >= %lld
        AND NOT EXISTS (SELECT 1 FROM search_waiting AS w WHERE w.ticket = t.number)
        ORDER BY created_us, number LIMIT 1),
       (SELECT created_us FROM ticket AS t FORCE INDEX (ticket_created)
        WHERE created_us <= %lld
        AND NOT EXISTS (SELECT 1 FROM search_waiting AS w WHERE w.ticket = t.number)
        ORDER BY created_us DESC, number DESC LIMIT 1),
       (SELECT coalesce(max(disorder_us), 0) FROM search_segment)

-- The least and the greatest number of tickets that were created from a time to another.
-- name: search_numbers
SELECT min(number), max(number) FROM ticket FORCE INDEX (ticket_created)
WHERE created_us BETWEEN %lld AND %lld

-- Pages of the index: a JSON array of [segment, page].
-- name: search_pages
SELECT p.segment, p.postings
FROM JSON_TABLE(%s, '$[*]' COLUMNS (segment bigint PATH '$[0]', page integer PATH '$[1]')) AS j
STRAIGHT_JOIN search_page AS p FORCE INDEX (PRIMARY) ON p.segment = j.segment AND p.page = j.page

-- name: search_created
SELECT created_us FROM ticket WHERE number = %lld

-- Tokens; the time now is the clock above.
-- name: token_find
SELECT digest, name, scopes, created_us, expires_us, revoked_us, last_used_us
FROM admin_token
WHERE digest = %s AND revoked_us = 0 AND (expires_us = 0 OR expires_us > %lld)

-- name: token_used
UPDATE admin_token SET last_used_us = %lld WHERE digest = %s AND last_used_us < %lld

-- digest, name, scopes, created_us, expires_us; name, now: only if no usable one has the name.
-- name: token_create
INSERT INTO admin_token (digest, name, scopes, created_us, expires_us)
SELECT %s, %s, %lld, %lld, %lld FROM DUAL
WHERE NOT EXISTS (SELECT 1 FROM admin_token
                  WHERE name = %s AND revoked_us = 0 AND (expires_us = 0 OR expires_us > %lld))

-- name: token_list
SELECT digest, name, scopes, created_us, expires_us, revoked_us, last_used_us
FROM admin_token ORDER BY name, created_us, digest

-- name: token_revoke
UPDATE admin_token SET revoked_us = %lld
WHERE name = %s AND revoked_us = 0 AND (expires_us = 0 OR expires_us > %lld)

-- The newest usable token of a name, again under another digest: digest, now, now, name, now.
-- name: token_renew
INSERT INTO admin_token (digest, name, scopes, created_us, expires_us)
SELECT %s, name, scopes, %lld,
       CASE expires_us WHEN 0 THEN 0 ELSE %lld + expires_us - created_us END
FROM admin_token
WHERE name = %s AND revoked_us = 0 AND (expires_us = 0 OR expires_us > %lld)
ORDER BY created_us DESC, digest LIMIT 1

-- All other usable ones of that name end then, unless they do sooner: then, name, digest, then.
-- name: token_end
UPDATE admin_token SET expires_us = %lld
WHERE name = %s AND digest <> %s AND revoked_us = 0 AND (expires_us = 0 OR expires_us > %lld)
