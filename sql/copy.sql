-- What helpsupportctl db copy asks of any database, in the notation of queries.sqlite3.sql: pages of
-- each table's rows in the order of its key, which is the first columns, after the last row's key. A
-- page's rows travel as one JSON array of arrays of strings and nulls.

-- What a copy must agree in.
-- name: copy_counts
SELECT t.rows_, e.rows_, k.rows_, m.rows_, a.rows_, w.rows_, s.rows_, p.rows_, t.top, m.top
FROM (SELECT count(*) AS rows_, coalesce(max(number), 0) AS top FROM ticket) AS t
CROSS JOIN (SELECT count(*) AS rows_ FROM ticket_event) AS e
CROSS JOIN (SELECT count(*) AS rows_ FROM idempotency_key) AS k
CROSS JOIN (SELECT count(*) AS rows_, coalesce(max(id), 0) AS top FROM mail) AS m
CROSS JOIN (SELECT count(*) AS rows_ FROM admin_token) AS a
CROSS JOIN (SELECT count(*) AS rows_ FROM search_waiting) AS w
CROSS JOIN (SELECT count(*) AS rows_ FROM search_segment) AS s
CROSS JOIN (SELECT count(*) AS rows_ FROM search_page) AS p

-- name: copy_read_ticket
SELECT number, id, user_id, name, phone_number, email, message,
       status, version, created_us, updated_us, email_key
FROM ticket WHERE number > %lld ORDER BY number LIMIT %lld

-- name: copy_read_event
SELECT ticket, version, at_us, from_status, to_status, changed_by
FROM ticket_event WHERE (ticket, version) > (%lld, %lld) ORDER BY ticket, version LIMIT %lld

-- name: copy_read_key
SELECT user_id, key_text, digest, ticket_id, created_us
FROM idempotency_key WHERE (user_id, key_text) > (%s, %s) ORDER BY user_id, key_text LIMIT %lld

-- Nobody there has a lease of here: what was being sent is queued, and due.
-- name: copy_read_mail
SELECT id, ticket, kind, site, recipient, recipient_key, recipient_domain, language,
       CASE state WHEN 'sending' THEN 'queued' ELSE state END, detail, state_us, created_us,
       CASE state WHEN 'sending' THEN state_us ELSE next_us END,
       claims, tries, passed_us, message_id, message
FROM mail WHERE id > %lld ORDER BY id LIMIT %lld

-- name: copy_read_token
SELECT digest, name, scopes, created_us, expires_us, revoked_us, last_used_us
FROM admin_token WHERE digest > %s ORDER BY digest LIMIT %lld

-- The index of words is the same in every database.
-- name: copy_read_words
SELECT ticket, words FROM search_waiting WHERE ticket > %lld ORDER BY ticket LIMIT %lld

-- name: copy_read_segment
SELECT id, tickets, from_number, to_number, last_us, disorder_us, fences
FROM search_segment WHERE id > %lld ORDER BY id LIMIT %lld

-- name: copy_read_page
SELECT segment, page, postings
FROM search_page WHERE (segment, page) > (%lld, %lld) ORDER BY segment, page LIMIT %lld
