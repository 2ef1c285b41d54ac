-- What the store asks of PostgreSQL, in the notation of queries.sqlite3.sql. Parameters of prepared
-- statements are varchar, so what is another type has a cast. Statements are made for READ
-- COMMITTED.

-- Microseconds. Whatever node asks, leases and times go by this clock.
-- option: clock
SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)

-- The schema is made by one at a time; the lock ends with the transaction, so a pooler may be in
-- between.
-- option: schema_lock
SELECT pg_advisory_xact_lock(1752396907)

-- The last column says what is wrong with the database itself, or NULL.
-- name: schema_state
SELECT coalesce(CAST((mark.parts)[1] AS bigint), 0), coalesce(CAST((mark.parts)[2] AS bigint), 0),
       (SELECT count(*) FROM pg_class
        WHERE relnamespace = to_regnamespace(current_schema()) AND relkind IN ('r', 'p', 'v', 'm')),
       CASE WHEN current_setting('server_encoding') <> 'UTF8'
            THEN 'its encoding must be UTF8: createdb -T template0 -E UTF8'
            WHEN current_setting('synchronous_commit') = 'off'
            THEN 'synchronous_commit is off here, so what is acknowledged is not on disk yet: '
                 'ALTER ROLE ... SET synchronous_commit = on'
       END
FROM (SELECT regexp_match(obj_description(to_regclass('ticket'), 'pg_class'),
                          '^mod_helpsupport (\d+) (\d+)$') AS parts) AS mark

-- The whole of a group of submissions without keys: one statement, one round trip, one transaction.
-- Tickets [id, user_id, name, phone_number, email, email_key, message, key], in the same order their
-- words (between spaces) and their mails [ticket id, kind, site, recipient_key, recipient_domain,
-- language, why suppressed or null, random part of the Message-ID]. An id that is there already was
-- written by a try whose outcome was unknown; if that one still runs, this one waits for it.
-- option: submit
WITH now AS MATERIALIZED (
    SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint) AS us
), item AS MATERIALIZED (
    SELECT t.v->>0 AS id, t.v->>1 AS user_id, t.v->>2 AS name, t.v->>3 AS phone_number,
           t.v->>4 AS email, t.v->>5 AS email_key, t.v->>6 AS message, t.ordinal
    FROM jsonb_array_elements(CAST(%s AS jsonb)) WITH ORDINALITY AS t (v, ordinal)
), word AS MATERIALIZED (
    SELECT w.v AS words, w.ordinal
    FROM jsonb_array_elements_text(CAST(%s AS jsonb)) WITH ORDINALITY AS w (v, ordinal)
), stored AS (
    INSERT INTO ticket (id, user_id, name, phone_number, email, email_key, message,
                        status, version, created_us, updated_us)
    SELECT id, user_id, name, phone_number, email, email_key, message, 0, 1, us, us
    FROM item CROSS JOIN now ORDER BY ordinal
    ON CONFLICT (id) DO NOTHING
    RETURNING id, number, created_us, email
), waiting AS (
    INSERT INTO search_waiting (ticket, words)
    SELECT s.number, w.words FROM stored AS s JOIN item USING (id) JOIN word AS w USING (ordinal)
), mailed AS (
    INSERT INTO mail (ticket, kind, site, recipient, recipient_key, recipient_domain, language,
                      state, detail, state_us, created_us, next_us, message_id)
    SELECT s.number, v->>1, v->>2, s.email, v->>3, v->>4, v->>5,
           CASE WHEN v->>6 IS NULL THEN 'queued' ELSE 'suppressed' END, coalesce(v->>6, ''),
           s.created_us, s.created_us, s.created_us, 'hs.' || s.number || '.' || (v->>7)
    FROM jsonb_array_elements(CAST(%s AS jsonb)) AS m (v) JOIN stored AS s ON s.id = v->>0
    ORDER BY s.number
)
SELECT id, number, created_us FROM stored

-- The same with keys: before tickets, words and mails the keys [user_id, key, digest, ticket id],
-- how old they may grow, and last how many older ones are removed. A key that is free or expired is
-- taken, in one order everywhere, else two nodes deadlock; the ticket of a key that another ticket
-- has is not stored.
-- option: submit_keys
WITH now AS MATERIALIZED (
    SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint) AS us
), key AS MATERIALIZED (
    SELECT DISTINCT ON ((v->>0) COLLATE "C", (v->>1) COLLATE "C")
           v->>0 AS user_id, v->>1 AS key_text, v->>2 AS digest, v->>3 AS ticket_id
    FROM jsonb_array_elements(CAST(%s AS jsonb)) WITH ORDINALITY AS k (v, ordinal)
    ORDER BY (v->>0) COLLATE "C", (v->>1) COLLATE "C", ordinal
), claim AS (
    INSERT INTO idempotency_key (user_id, key_text, digest, ticket_id, created_us)
    SELECT user_id, key_text, digest, ticket_id, us FROM key CROSS JOIN now
    ORDER BY user_id COLLATE "C", key_text COLLATE "C"
    ON CONFLICT (user_id, key_text) DO UPDATE
    SET digest = excluded.digest, ticket_id = excluded.ticket_id, created_us = excluded.created_us
    WHERE idempotency_key.created_us <= excluded.created_us - %lld
    RETURNING ticket_id
), item AS MATERIALIZED (
    SELECT t.v->>0 AS id, t.v->>1 AS user_id, t.v->>2 AS name, t.v->>3 AS phone_number,
           t.v->>4 AS email, t.v->>5 AS email_key, t.v->>6 AS message, t.v->>7 AS key_text,
           t.ordinal
    FROM jsonb_array_elements(CAST(%s AS jsonb)) WITH ORDINALITY AS t (v, ordinal)
), word AS MATERIALIZED (
    SELECT w.v AS words, w.ordinal
    FROM jsonb_array_elements_text(CAST(%s AS jsonb)) WITH ORDINALITY AS w (v, ordinal)
), stored AS (
    INSERT INTO ticket (id, user_id, name, phone_number, email, email_key, message,
                        status, version, created_us, updated_us)
    SELECT id, user_id, name, phone_number, email, email_key, message, 0, 1, us, us
    FROM item CROSS JOIN now
    WHERE key_text IS NULL OR id IN (SELECT ticket_id FROM claim)
    ORDER BY ordinal
    ON CONFLICT (id) DO NOTHING
    RETURNING id, number, created_us, email
), waiting AS (
    INSERT INTO search_waiting (ticket, words)
    SELECT s.number, w.words FROM stored AS s JOIN item USING (id) JOIN word AS w USING (ordinal)
), mailed AS (
    INSERT INTO mail (ticket, kind, site, recipient, recipient_key, recipient_domain, language,
                      state, detail, state_us, created_us, next_us, message_id)
    SELECT s.number, v->>1, v->>2, s.email, v->>3, v->>4, v->>5,
           CASE WHEN v->>6 IS NULL THEN 'queued' ELSE 'suppressed' END, coalesce(v->>6, ''),
           s.created_us, s.created_us, s.created_us, 'hs.' || s.number || '.' || (v->>7)
    FROM jsonb_array_elements(CAST(%s AS jsonb)) AS m (v) JOIN stored AS s ON s.id = v->>0
    ORDER BY s.number
), purged AS (
    DELETE FROM idempotency_key
    WHERE (user_id, key_text) IN (
        SELECT user_id, key_text FROM idempotency_key
        WHERE created_us <= (SELECT us FROM now) - %lld
        AND (user_id, key_text) NOT IN (SELECT user_id, key_text FROM key)
        ORDER BY created_us LIMIT %lld FOR UPDATE SKIP LOCKED)
)
SELECT id, number, created_us FROM stored

-- Whose the keys of the batch are now. The first column is the place in the batch, from 0.
-- name: key_read
SELECT j.ordinal - 1, k.digest, t.id, t.number, t.created_us
FROM jsonb_array_elements(CAST(%s AS jsonb)) WITH ORDINALITY AS j (v, ordinal)
JOIN idempotency_key AS k ON k.user_id = j.v->>0 AND k.key_text = j.v->>1
JOIN ticket AS t ON t.id = k.ticket_id
ORDER BY j.ordinal

-- A row can be seen that no standby has yet: its session was ended while it waited for that, or the
-- server started again. The lock makes this a write, which waits for the standby like any other.
-- name: ticket_look
SELECT t.id, t.number, t.created_us
FROM jsonb_array_elements(CAST(%s AS jsonb)) AS j (v) JOIN ticket AS t ON t.id = j.v->>0
FOR KEY SHARE OF t

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
SELECT number, id, user_id, name, phone_number, email, message,
       status, version, created_us, updated_us
FROM ticket WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(%s AS jsonb))))
UNION ALL
SELECT number, id, user_id, name, phone_number, email, message,
       status, version, created_us, updated_us
FROM ticket
WHERE number = ANY (ARRAY(SELECT CAST(v AS bigint) FROM jsonb_array_elements_text(CAST(%s AS jsonb)) AS j (v)))

-- A group of changes [id, number, status, by] that have no condition, one of id and number being
-- null: one statement, one round trip, one transaction. Of several that name one ticket it makes the
-- first. The last column is the place in the batch, from 0. What another transaction did meanwhile
-- shows "old", which waits for its locks, in one order everywhere.
-- option: status_set
WITH now AS MATERIALIZED (
    SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint) AS us
), item AS MATERIALIZED (
    SELECT DISTINCT ON (number) number, CAST(v->>2 AS smallint) AS to_status, v->>3 AS changed_by,
           ordinal
    FROM (SELECT coalesce(CAST(j.v->>1 AS bigint),
                          (SELECT number FROM ticket WHERE id = j.v->>0)) AS number, v, ordinal
          FROM jsonb_array_elements(CAST(%s AS jsonb)) WITH ORDINALITY AS j (v, ordinal)) AS named
    ORDER BY number, ordinal
), old AS MATERIALIZED (
    SELECT t.number, t.id, t.user_id, t.name, t.phone_number, t.email, t.message,
           t.status, t.version, t.created_us, t.updated_us,
           item.to_status, item.changed_by, item.ordinal
    FROM item JOIN ticket AS t ON t.number = item.number
    ORDER BY t.number FOR UPDATE OF t
), changed AS (
    UPDATE ticket SET status = old.to_status, version = old.version + 1,
        updated_us = greatest(now.us, old.updated_us + 1)
    FROM old CROSS JOIN now
    WHERE ticket.number = old.number AND old.status <> old.to_status
    RETURNING ticket.number, ticket.version, ticket.updated_us
), event AS (
    INSERT INTO ticket_event (ticket, version, at_us, from_status, to_status, changed_by)
    SELECT number, c.version, c.updated_us, old.status, old.to_status, old.changed_by
    FROM old JOIN changed AS c USING (number)
)
SELECT number, old.id, old.user_id, old.name, old.phone_number, old.email, old.message,
       old.to_status, coalesce(c.version, old.version), old.created_us,
       coalesce(c.updated_us, old.updated_us), old.ordinal - 1
FROM old LEFT JOIN changed AS c USING (number)

-- Locked in one order everywhere. Last the place in the batch, from 0, and the clock.
-- name: status_read
WITH item AS MATERIALIZED (
    SELECT coalesce(CAST(j.v->>1 AS bigint),
                    (SELECT number FROM ticket WHERE id = j.v->>0)) AS number, ordinal
    FROM jsonb_array_elements(CAST(%s AS jsonb)) WITH ORDINALITY AS j (v, ordinal)
)
SELECT t.number, t.id, t.user_id, t.name, t.phone_number, t.email, t.message,
       t.status, t.version, t.created_us, t.updated_us, item.ordinal - 1,
       CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)
FROM item JOIN ticket AS t ON t.number = item.number
ORDER BY t.number, item.ordinal FOR UPDATE OF t

-- name: status_write
UPDATE ticket
SET status = CAST(j.v->>1 AS smallint), version = CAST(j.v->>2 AS bigint),
    updated_us = CAST(j.v->>3 AS bigint)
FROM jsonb_array_elements(CAST(%s AS jsonb)) AS j (v)
WHERE ticket.number = CAST(j.v->>0 AS bigint)

-- name: event_insert
INSERT INTO ticket_event (ticket, version, at_us, from_status, to_status, changed_by)
SELECT CAST(v->>0 AS bigint), CAST(v->>1 AS bigint), CAST(v->>2 AS bigint),
       CAST(v->>3 AS smallint), CAST(v->>4 AS smallint), v->>5
FROM jsonb_array_elements(CAST(%s AS jsonb)) AS j (v)

-- name: history
SELECT at_us, event, a, b, c FROM
    (SELECT at_us, 'status' AS event, CAST(from_status AS text) AS a, CAST(to_status AS text) AS b,
            changed_by AS c, 2 AS place, version AS id
     FROM ticket_event WHERE ticket = %lld
     UNION ALL
     SELECT state_us, 'mail', kind, CASE state WHEN 'sending' THEN 'queued' ELSE state END, detail,
            1, id
     FROM mail WHERE ticket = %lld) AS h
ORDER BY at_us, place, id

-- name: ticket_count
SELECT count(*) FROM ticket

-- The list is put together from these: hs_store_compose.c. There is no INDEXED BY here, so each is
-- written such that only the index that is meant can serve it, whatever the planner believes.
-- fragment: list_columns
SELECT t.number, t.id, t.user_id, t.name, t.phone_number, t.email, t.message,
       t.status, t.version, t.created_us, t.updated_us

-- fragment: list_keys
SELECT t.number, t.created_us, t.updated_us

-- A page of keys, whose tickets are then fetched. The second limit is for the planner, who knows no
-- parameter's value: it would read all tickets to join a tenth of them.
-- fragment: list_page_head
SELECT t.number, t.id, t.user_id, t.name, t.phone_number, t.email, t.message,
       t.status, t.version, t.created_us, t.updated_us
FROM (SELECT number, created_us, updated_us FROM (

-- fragment: list_page_tail
) AS keys LIMIT 1001) AS page JOIN ticket AS t ON t.number = page.number

-- Around what is read in the order of an index, for the same reason: the largest page and one more.
-- extra: list_few_head
SELECT * FROM (

-- extra: list_few_tail
LIMIT 1001) AS few

-- Around what is sorted, else the planner may take another index for its order.
-- extra: list_found_head
SELECT * FROM (

-- extra: list_found_tail
OFFSET 0) AS found

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

-- Around each of several arms, with order and limit in it: the planner does not see that an index
-- by status has the order where the status is given, once there is a union around it.
-- extra: list_arm_open
(

-- extra: list_arm_close
)

-- Around keys: how many, and all of them as one text, in no order. For thousands of keys that takes a
-- tenth of the time of as many rows.
-- fragment: list_packed_created
SELECT count(*), string_agg(k.number || ' ' || k.created_us, ',') FROM (

-- fragment: list_packed_updated
SELECT count(*), string_agg(k.number || ' ' || k.updated_us, ',') FROM (

-- fragment: list_packed_tail
) AS k

-- fragment: list_from_created
FROM ticket AS t

-- fragment: list_from_updated
FROM ticket AS t

-- fragment: list_from_status_created
FROM ticket AS t

-- fragment: list_from_status_updated
FROM ticket AS t

-- fragment: list_from_user
FROM ticket AS t

-- fragment: list_from_email
FROM ticket AS t

-- Of a JSON array of numbers.
-- fragment: list_from_found
FROM jsonb_array_elements_text(CAST(%s AS jsonb)) AS f (v) JOIN ticket AS t ON t.number = CAST(f.v AS bigint)

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

-- Tests that no index can answer: an expression in place of the column.
-- fragment: list_test_status
AND (CAST(1 AS bigint) << status) & %lld <> 0

-- fragment: list_test_user
AND user_id || '' = %s

-- fragment: list_test_email
AND email_key || '' = %s

-- fragment: list_created_from
AND (created_us, number) > (%lld, %lld)

-- fragment: list_created_to
AND (created_us, number) < (%lld, %lld)

-- fragment: list_updated_from
AND (updated_us, number) > (%lld, %lld)

-- fragment: list_updated_to
AND (updated_us, number) < (%lld, %lld)

-- extra: list_test_created_from
AND (created_us + 0, number) > (%lld, %lld)

-- extra: list_test_created_to
AND (created_us + 0, number) < (%lld, %lld)

-- extra: list_test_updated_from
AND (updated_us + 0, number) > (%lld, %lld)

-- extra: list_test_updated_to
AND (updated_us + 0, number) < (%lld, %lld)

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
-- name: index_times
SELECT max(created_us), coalesce(max(greatest(%lld, us) - created_us), 0), max(number)
FROM (SELECT number, created_us, max(created_us) OVER (ORDER BY number) AS us
      FROM ticket WHERE number BETWEEN %lld AND %lld ORDER BY number LIMIT 65536) AS earlier

-- Who moves tickets into a segment takes them and the segments that are merged with them away, or,
-- where somebody else was first, does nothing. JSON arrays of numbers and of segments.
-- name: index_take_waiting
DELETE FROM search_waiting WHERE ticket IN
    (SELECT CAST(v AS bigint) FROM jsonb_array_elements_text(CAST(%s AS jsonb)) AS j (v))

-- name: index_take_segments
DELETE FROM search_segment WHERE id IN
    (SELECT CAST(v AS bigint) FROM jsonb_array_elements_text(CAST(%s AS jsonb)) AS j (v))

-- name: index_take_pages
DELETE FROM search_page WHERE segment IN
    (SELECT CAST(v AS bigint) FROM jsonb_array_elements_text(CAST(%s AS jsonb)) AS j (v))

-- name: index_put_segment
INSERT INTO search_segment (id, tickets, from_number, to_number, last_us, disorder_us, fences)
VALUES (%lld, %lld, %lld, %lld, %lld, %lld, %s)

-- Pages [segment, page, postings].
-- name: index_put_pages
INSERT INTO search_page (segment, page, postings)
SELECT CAST(v->>0 AS bigint), CAST(v->>1 AS integer), v->>2
FROM jsonb_array_elements(CAST(%s AS jsonb)) AS j (v)

-- name: index_segments
SELECT id, tickets, from_number, to_number, last_us, disorder_us, fences FROM search_segment

-- name: index_pages
SELECT postings FROM search_page WHERE segment = %lld ORDER BY page

-- A search. Which tickets that wait, behind a number, have all words: how many, at most so many, and
-- their numbers as one text, in no order, for the reason above (list_packed_created). The condition is
-- cut into pieces: SQLite takes none that is nested too deeply, and what stands side by side is, for
-- it.
-- fragment: search_waiting
SELECT count(*), string_agg(CAST(k.ticket AS text), ',') FROM (
SELECT ticket FROM search_waiting AS w WHERE ticket > %lld AND (true

-- fragment: search_waiting_word
AND strpos(w.words, ' ' || CAST(%s AS text)) > 0

-- fragment: search_waiting_piece
) AND (true

-- fragment: search_waiting_end
)
ORDER BY ticket LIMIT %lld) AS k

-- When the first ticket from a time on and the last up to another were created, of those that do not
-- wait; and the disorder of the index.
-- name: search_range
SELECT (SELECT created_us FROM ticket AS t
        WHERE created_us >= %lld
        AND NOT EXISTS (SELECT 1 FROM search_waiting AS w WHERE w.ticket = t.number)
        ORDER BY created_us, number LIMIT 1),
       (SELECT created_us FROM ticket AS t
        WHERE created_us <= %lld
        AND NOT EXISTS (SELECT 1 FROM search_waiting AS w WHERE w.ticket = t.number)
        ORDER BY created_us DESC, number DESC LIMIT 1),
       (SELECT coalesce(max(disorder_us), 0) FROM search_segment)

-- The least and the greatest number of tickets that were created from a time to another. + 0, or it
-- would go through all numbers instead.
-- name: search_numbers
SELECT min(number + 0), max(number + 0) FROM ticket
WHERE created_us BETWEEN %lld AND %lld

-- Pages of the index: a JSON array of [segment, page].
-- name: search_pages
SELECT p.segment, p.postings
FROM jsonb_array_elements(CAST(%s AS jsonb)) AS j (v)
JOIN search_page AS p ON p.segment = CAST(v->>0 AS bigint) AND p.page = CAST(v->>1 AS integer)

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
SELECT %s, %s, CAST(%lld AS integer), %lld, %lld
WHERE NOT EXISTS (SELECT 1 FROM admin_token
                  WHERE name = %s AND revoked_us = 0 AND (expires_us = 0 OR expires_us > %lld))

-- name: token_list
SELECT digest, name, scopes, created_us, expires_us, revoked_us, last_used_us
FROM admin_token ORDER BY name COLLATE "C", created_us, digest

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
