-- How rows come into PostgreSQL, and what holds its writers up: see copy.sql.

-- In the order in which statements take these tables, so that nobody deadlocks.
-- command: copy_hold
LOCK TABLE idempotency_key, ticket, ticket_event, search_waiting, mail, admin_token, search_segment,
    search_page IN SHARE MODE

-- name: copy_ticket
INSERT INTO ticket (number, id, user_id, name, phone_number, email, message,
                    status, version, created_us, updated_us, email_key)
SELECT CAST(v->>0 AS bigint), v->>1, v->>2, v->>3, v->>4, v->>5, v->>6,
       CAST(v->>7 AS smallint), CAST(v->>8 AS bigint), CAST(v->>9 AS bigint),
       CAST(v->>10 AS bigint), v->>11
FROM jsonb_array_elements(CAST(%s AS jsonb)) AS j (v)

-- name: copy_event
INSERT INTO ticket_event (ticket, version, at_us, from_status, to_status, changed_by)
SELECT CAST(v->>0 AS bigint), CAST(v->>1 AS bigint), CAST(v->>2 AS bigint),
       CAST(v->>3 AS smallint), CAST(v->>4 AS smallint), v->>5
FROM jsonb_array_elements(CAST(%s AS jsonb)) AS j (v)

-- name: copy_key
INSERT INTO idempotency_key (user_id, key_text, digest, ticket_id, created_us)
SELECT v->>0, v->>1, v->>2, v->>3, CAST(v->>4 AS bigint)
FROM jsonb_array_elements(CAST(%s AS jsonb)) AS j (v)

-- name: copy_mail
INSERT INTO mail (id, ticket, kind, site, recipient, recipient_key, recipient_domain, language,
                  state, detail, state_us, created_us, next_us, claims, tries, passed_us,
                  message_id, message)
SELECT CAST(v->>0 AS bigint), CAST(v->>1 AS bigint), v->>2, v->>3, v->>4, v->>5, v->>6, v->>7,
       v->>8, v->>9, CAST(v->>10 AS bigint), CAST(v->>11 AS bigint), CAST(v->>12 AS bigint),
       CAST(v->>13 AS integer), CAST(v->>14 AS integer), CAST(v->>15 AS bigint), v->>16, v->>17
FROM jsonb_array_elements(CAST(%s AS jsonb)) AS j (v)

-- name: copy_token
INSERT INTO admin_token (digest, name, scopes, created_us, expires_us, revoked_us, last_used_us)
SELECT v->>0, v->>1, CAST(v->>2 AS integer), CAST(v->>3 AS bigint), CAST(v->>4 AS bigint),
       CAST(v->>5 AS bigint), CAST(v->>6 AS bigint)
FROM jsonb_array_elements(CAST(%s AS jsonb)) AS j (v)

-- name: copy_words
INSERT INTO search_waiting (ticket, words)
SELECT CAST(v->>0 AS bigint), v->>1 FROM jsonb_array_elements(CAST(%s AS jsonb)) AS j (v)

-- name: copy_segment
INSERT INTO search_segment (id, tickets, from_number, to_number, last_us, disorder_us, fences)
SELECT CAST(v->>0 AS bigint), CAST(v->>1 AS bigint), CAST(v->>2 AS bigint),
       CAST(v->>3 AS bigint), CAST(v->>4 AS bigint), CAST(v->>5 AS bigint), v->>6
FROM jsonb_array_elements(CAST(%s AS jsonb)) AS j (v)

-- name: copy_page
INSERT INTO search_page (segment, page, postings)
SELECT CAST(v->>0 AS bigint), CAST(v->>1 AS integer), v->>2
FROM jsonb_array_elements(CAST(%s AS jsonb)) AS j (v)

-- The other databases count on from the highest by themselves.
-- option: copy_counters
SELECT setval(pg_get_serial_sequence('ticket', 'number'), (SELECT max(number) FROM ticket)),
       setval(pg_get_serial_sequence('mail', 'id'), (SELECT max(id) FROM mail))
