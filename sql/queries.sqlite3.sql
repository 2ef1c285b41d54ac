-- What the store asks of SQLite. Parameters are apr_dbd's: %s text, %lld a 64-bit integer; a percent
-- sign itself is written twice. A batch is one JSON array of arrays, one per row.

-- What kind of file this is: ours and of which version, empty, or another program's.
-- name: schema_state
SELECT (SELECT application_id FROM pragma_application_id),
       (SELECT user_version FROM pragma_user_version),
       (SELECT count(*) FROM sqlite_master), NULL

-- The keys of a batch [user_id, key, digest, ticket id], now, and how old a key may grow: those that
-- are free or expired are taken, in one order everywhere.
-- option: key_claim
INSERT INTO idempotency_key (user_id, key_text, digest, ticket_id, created_us)
SELECT value->>0, value->>1, value->>2, value->>3, now.us
FROM json_each(%s), (SELECT %lld AS us) AS now
WHERE true
ORDER BY value->>0, value->>1, json_each.key
ON CONFLICT (user_id, key_text) DO UPDATE
SET digest = excluded.digest, ticket_id = excluded.ticket_id, created_us = excluded.created_us
WHERE idempotency_key.created_us <= excluded.created_us - %lld

-- At most that many keys that are older than that.
-- option: key_purge
DELETE FROM idempotency_key WHERE (user_id, key_text) IN
    (SELECT user_id, key_text FROM idempotency_key INDEXED BY idempotency_key_created
     WHERE created_us <= %lld ORDER BY created_us LIMIT %lld)

-- Whose the keys of the same batch are now.
-- name: key_read
SELECT j.key, k.digest, t.id, t.number, t.created_us
FROM json_each(%s) AS j
CROSS JOIN idempotency_key AS k ON k.user_id = j.value->>0 AND k.key_text = j.value->>1
CROSS JOIN ticket AS t ON t.id = k.ticket_id

-- The tickets of a batch [id, user_id, name, phone_number, email, email_key, message, key or null],
-- now; not those whose key another ticket has. created_us never goes backwards (see the schema). An
-- id that is there already was written by a try whose outcome was unknown.
-- option: ticket_insert
INSERT INTO ticket (id, user_id, name, phone_number, email, email_key, message,
                    status, version, created_us, updated_us)
SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6,
       0, 1, now.us, now.us
FROM (SELECT max(%lld, coalesce((SELECT max(created_us) FROM ticket), 0)) AS us) AS now
CROSS JOIN json_each(%s)
WHERE NOT EXISTS (SELECT 1 FROM idempotency_key AS k
                  WHERE k.user_id = value->>1 AND k.key_text = value->>7
                  AND k.ticket_id <> value->>0)
ON CONFLICT (id) DO NOTHING
RETURNING id, number, created_us

-- The same batch, as far as it is there.
-- name: ticket_look
SELECT t.id, t.number, t.created_us
FROM json_each(%s) AS j CROSS JOIN ticket AS t ON t.id = j.value->>0

-- What a search finds new tickets by: [number, words].
-- option: words_insert
INSERT INTO search_waiting (ticket, words) SELECT value->>0, value->>1 FROM json_each(%s)

-- The mails of a batch [ticket id, kind, site, recipient_key, recipient_domain, language,
-- why suppressed or null, random part of the Message-ID], for the tickets that are there.
-- option: mail_insert
INSERT INTO mail (ticket, kind, site, recipient, recipient_key, recipient_domain, language,
                  state, detail, state_us, created_us, next_us, message_id)
SELECT t.number, value->>1, value->>2, t.email, value->>3, value->>4, value->>5,
       CASE WHEN value->>6 IS NULL THEN 'queued' ELSE 'suppressed' END, coalesce(value->>6, ''),
       t.created_us, t.created_us, t.created_us, 'hs.' || t.number || '.' || (value->>7)
FROM json_each(%s) CROSS JOIN ticket AS t ON t.id = value->>0
WHERE true
ON CONFLICT (ticket, kind) DO NOTHING

-- name: ticket_by_id
SELECT number, id, user_id, name, phone_number, email, message,
       status, version, created_us, updated_us
FROM ticket WHERE id = %s

-- name: ticket_by_number
SELECT number, id, user_id, name, phone_number, email, message,
       status, version, created_us, updated_us
FROM ticket WHERE number = %lld

-- The tickets of a batch of changes [id or null, number], each as often as it is named.
-- name: status_read
SELECT t.number, t.id, t.user_id, t.name, t.phone_number, t.email, t.message,
       t.status, t.version, t.created_us, t.updated_us, j.key
FROM json_each(%s) AS j
CROSS JOIN ticket AS t ON t.number = coalesce(
    j.value->>1, (SELECT number FROM ticket WHERE id = j.value->>0))

-- What became of them: [number, status, version, updated_us], each ticket once.
-- name: status_write
UPDATE ticket SET status = j.value->>1, version = j.value->>2, updated_us = j.value->>3
FROM json_each(%s) AS j WHERE ticket.number = j.value->>0

-- And how: [number, version, at, from, to, by].
-- name: event_insert
INSERT INTO ticket_event (ticket, version, at_us, from_status, to_status, changed_by)
SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5 FROM json_each(%s)

-- A ticket's changes and mails; the ticket's number twice.
-- name: history
SELECT at_us, event, a, b, c FROM
    (SELECT at_us, 'status' AS event, from_status AS a, to_status AS b, changed_by AS c,
            2 AS place, version AS id
     FROM ticket_event WHERE ticket = %lld
     UNION ALL
     SELECT state_us, 'mail', kind, CASE state WHEN 'sending' THEN 'queued' ELSE state END, detail,
            1, id
     FROM mail WHERE ticket = %lld)
ORDER BY at_us, place, id

-- name: ticket_count
SELECT count(*) FROM ticket

-- The list is put together from these: hs_store_compose.c. INDEXED BY, because the plan must not
-- depend on what ANALYZE has seen; CROSS JOIN keeps the order of its left side.
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
) AS page CROSS JOIN ticket AS t ON t.number = page.number

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

-- Around keys: how many, and all of them as one text, in no order. For thousands of keys that takes a
-- tenth of the time of as many rows.
-- fragment: list_packed_created
SELECT count(*), group_concat(k.number || ' ' || k.created_us) FROM (

-- fragment: list_packed_updated
SELECT count(*), group_concat(k.number || ' ' || k.updated_us) FROM (

-- fragment: list_packed_tail
) AS k

-- fragment: list_from_created
FROM ticket AS t INDEXED BY ticket_created

-- fragment: list_from_updated
FROM ticket AS t INDEXED BY ticket_updated

-- fragment: list_from_status_created
FROM ticket AS t INDEXED BY ticket_status_created

-- fragment: list_from_status_updated
FROM ticket AS t INDEXED BY ticket_status_updated

-- fragment: list_from_user
FROM ticket AS t INDEXED BY ticket_user

-- fragment: list_from_email
FROM ticket AS t INDEXED BY ticket_email

-- Of a JSON array of numbers.
-- fragment: list_from_found
FROM json_each(%s) AS f CROSS JOIN ticket AS t ON t.number = f.value

-- fragment: list_where
WHERE true

-- fragment: list_union
UNION ALL

-- What an index is entered by.
-- fragment: list_is_status
AND status = %lld

-- fragment: list_is_user
AND user_id = %s

-- fragment: list_is_email
AND email_key = %s

-- What is tested row by row; a set of statuses has bit 1 << status for each.
-- fragment: list_test_status
AND (1 << status) & %lld <> 0

-- fragment: list_test_user
AND user_id = %s

-- fragment: list_test_email
AND email_key = %s

-- Bounds in both orders are pairs (time, number), so that a cursor is a bound like the others.
-- fragment: list_created_from
AND (created_us, number) > (%lld, %lld)

-- fragment: list_created_to
AND (created_us, number) < (%lld, %lld)

-- fragment: list_updated_from
AND (updated_us, number) > (%lld, %lld)

-- fragment: list_updated_to
AND (updated_us, number) < (%lld, %lld)

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
SELECT count(*) FROM (SELECT 1 FROM search_waiting LIMIT %lld)

-- name: index_waiting
SELECT ticket, words FROM search_waiting ORDER BY ticket LIMIT %lld

-- Of tickets from a number to another, some at a time: when the last was created, by how much one was
-- created earlier than another of a lower number, and the number up to which that is. The first value
-- is when the last ticket below was created.
-- name: index_times
SELECT max(created_us), coalesce(max(max(%lld, us) - created_us), 0), max(number)
FROM (SELECT number, created_us, max(created_us) OVER (ORDER BY number) AS us
      FROM ticket WHERE number BETWEEN %lld AND %lld ORDER BY number LIMIT 65536) AS earlier

-- Who moves tickets into a segment takes them and the segments that are merged with them away, or,
-- where somebody else was first, does nothing. JSON arrays of numbers and of segments.
-- name: index_take_waiting
DELETE FROM search_waiting WHERE ticket IN (SELECT value FROM json_each(%s))

-- name: index_take_segments
DELETE FROM search_segment WHERE id IN (SELECT value FROM json_each(%s))

-- name: index_take_pages
DELETE FROM search_page WHERE segment IN (SELECT value FROM json_each(%s))

-- name: index_put_segment
INSERT INTO search_segment (id, tickets, from_number, to_number, last_us, disorder_us, fences)
VALUES (%lld, %lld, %lld, %lld, %lld, %lld, %s)

-- Pages [segment, page, postings].
-- name: index_put_pages
INSERT INTO search_page (segment, page, postings)
SELECT value->>0, value->>1, value->>2 FROM json_each(%s)

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
AND instr(w.words, ' ' || %s) > 0

-- fragment: search_waiting_piece
) AND (true

-- fragment: search_waiting_end
)
ORDER BY ticket LIMIT %lld) AS k

-- When the first ticket from a time on and the last up to another were created, of those that do not
-- wait; and the disorder of the index.
-- name: search_range
SELECT (SELECT created_us FROM ticket AS t INDEXED BY ticket_created
        WHERE created_us >= %lld
        AND NOT EXISTS (SELECT 1 FROM search_waiting AS w WHERE w.ticket = t.number)
        ORDER BY created_us, number LIMIT 1),
       (SELECT created_us FROM ticket AS t INDEXED BY ticket_created
        WHERE created_us <= %lld
        AND NOT EXISTS (SELECT 1 FROM search_waiting AS w WHERE w.ticket = t.number)
        ORDER BY created_us DESC, number DESC LIMIT 1),
       (SELECT coalesce(max(disorder_us), 0) FROM search_segment)

-- The least and the greatest number of tickets that were created from a time to another.
-- name: search_numbers
SELECT min(number), max(number) FROM ticket INDEXED BY ticket_created
WHERE created_us BETWEEN %lld AND %lld

-- Pages of the index: a JSON array of [segment, page].
-- name: search_pages
SELECT p.segment, p.postings
FROM json_each(%s) AS j
CROSS JOIN search_page AS p ON p.segment = j.value->>0 AND p.page = j.value->>1

-- name: search_created
SELECT created_us FROM ticket WHERE number = %lld

-- Tokens. The time now is this machine's clock: SQLite has no other.
-- name: token_find
SELECT digest, name, scopes, created_us, expires_us, revoked_us, last_used_us
FROM admin_token
WHERE digest = %s AND revoked_us = 0 AND (expires_us = 0 OR expires_us > %lld)

-- name: token_used
UPDATE admin_token SET last_used_us = %lld WHERE digest = %s AND last_used_us < %lld

-- digest, name, scopes, created_us, expires_us; name, now: only if no usable one has the name.
-- name: token_create
INSERT INTO admin_token (digest, name, scopes, created_us, expires_us)
SELECT %s, %s, %lld, %lld, %lld
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
