-- How rows come into SQLite: see copy.sql. Tables and columns of integers turn strings into them.

-- Where several nodes wrote, created_us may go backwards by the moment between two of them; here it
-- never does (see the schema).
-- name: copy_ticket
INSERT INTO ticket (number, id, user_id, name, phone_number, email, message,
                    status, version, created_us, updated_us, email_key)
SELECT number, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7,
       value->>8, us, max(us, CAST(value->>10 AS INTEGER)), value->>11
FROM (SELECT value, CAST(value->>0 AS INTEGER) AS number,
             max(max(CAST(value->>9 AS INTEGER)) OVER (ORDER BY key), before.us) AS us
      FROM json_each(%s)
      CROSS JOIN (SELECT coalesce((SELECT max(created_us) FROM ticket), 0) AS us) AS before)

-- name: copy_event
INSERT INTO ticket_event (ticket, version, at_us, from_status, to_status, changed_by)
SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5 FROM json_each(%s)

-- name: copy_key
INSERT INTO idempotency_key (user_id, key_text, digest, ticket_id, created_us)
SELECT value->>0, value->>1, value->>2, value->>3, value->>4 FROM json_each(%s)

-- name: copy_mail
INSERT INTO mail (id, ticket, kind, site, recipient, recipient_key, recipient_domain, language,
                  state, detail, state_us, created_us, next_us, claims, tries, passed_us,
                  message_id, message)
SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7,
       value->>8, value->>9, value->>10, value->>11, value->>12, value->>13, value->>14,
       value->>15, value->>16, value->>17
FROM json_each(%s)

-- name: copy_token
INSERT INTO admin_token (digest, name, scopes, created_us, expires_us, revoked_us, last_used_us)
SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6
FROM json_each(%s)

-- name: copy_words
INSERT INTO search_waiting (ticket, words) SELECT value->>0, value->>1 FROM json_each(%s)

-- name: copy_segment
INSERT INTO search_segment (id, tickets, from_number, to_number, last_us, disorder_us, fences)
SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6
FROM json_each(%s)

-- name: copy_page
INSERT INTO search_page (segment, page, postings)
SELECT value->>0, value->>1, value->>2 FROM json_each(%s)
