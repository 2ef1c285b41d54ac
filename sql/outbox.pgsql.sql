-- What the outbox asks of PostgreSQL, in the notation of queries.sqlite3.sql. The time now is that of
-- "clock", as a parameter.

-- Which of these sites (JSON array) have a mail that is due now.
-- name: mail_due
SELECT j.value FROM jsonb_array_elements_text(CAST(%s AS jsonb)) AS j (value)
WHERE EXISTS (SELECT 1 FROM mail
              WHERE site = j.value AND state IN ('queued', 'sending') AND next_us <= %lld)

-- Claim: token, owner, until, site, now, how many. sending stays since state_us in state
-- queued. The two differ in which mails they take: those that may kill their sender come alone.
-- name: mail_claim
UPDATE mail SET state = 'sending', claims = claims + 1, lease_token = %s, owner = %s,
                next_us = %lld
WHERE id = ANY (ARRAY(
    SELECT id FROM mail
    WHERE site = %s AND state IN ('queued', 'sending') AND next_us <= %lld AND claims < 2
    ORDER BY next_us LIMIT %lld FOR UPDATE SKIP LOCKED))

-- name: mail_claim_suspect
UPDATE mail SET state = 'sending', claims = claims + 1, lease_token = %s, owner = %s,
                next_us = %lld
WHERE id = ANY (ARRAY(
    SELECT id FROM mail
    WHERE site = %s AND state IN ('queued', 'sending') AND claims >= 2 AND next_us <= %lld
    ORDER BY next_us LIMIT %lld FOR UPDATE SKIP LOCKED))

-- What that claim got, the oldest first, for the limits shall favour it: site, until, token.
-- name: mail_claimed
SELECT m.id, kind, recipient, language, message_id, m.message, tries, passed_us,
       recipient_key, recipient_domain, ticket, t.id, t.name, t.message, t.created_us
FROM mail AS m JOIN ticket AS t ON t.number = m.ticket
WHERE m.site = %s AND m.state IN ('queued', 'sending') AND m.next_us = %lld AND m.lease_token = %s
ORDER BY m.id

-- A mail that was claimed so often without a result is given up: detail, now, site, now, how often.
-- name: mail_park
UPDATE mail SET state = 'failed', detail = %s, state_us = %lld, claims = 0,
                lease_token = NULL, owner = NULL
WHERE id = ANY (ARRAY(
    SELECT id FROM mail
    WHERE site = %s AND state IN ('queued', 'sending') AND claims >= 2 AND next_us <= %lld
    AND claims >= %lld FOR UPDATE SKIP LOCKED))

-- How many mails passed, counted up to a bound, that were submitted in the given time: bound, and a
-- JSON array of [recipient_key, after, until].
-- name: mail_count_recipient
SELECT j.v->>0, (SELECT count(*) FROM
                 (SELECT 1 FROM mail
                  WHERE recipient_key = j.v->>0 AND created_us > CAST(j.v->>1 AS bigint)
                  AND created_us <= CAST(j.v->>2 AS bigint) AND passed_us IS NOT NULL
                  LIMIT %lld) AS passed)
FROM jsonb_array_elements(CAST(%s AS jsonb)) WITH ORDINALITY AS j (v, ordinal)
ORDER BY j.ordinal

-- How many mails passed since then, counted up to a bound, for each of these keys: since, bound, and
-- a JSON array of keys.
-- name: mail_count_domain
SELECT j.value, (SELECT count(*) FROM
                 (SELECT 1 FROM mail
                  WHERE recipient_domain = j.value AND passed_us > %lld LIMIT %lld) AS passed)
FROM jsonb_array_elements_text(CAST(%s AS jsonb)) WITH ORDINALITY AS j (value, ordinal)
ORDER BY j.ordinal

-- name: mail_count_site
SELECT j.value, (SELECT count(*) FROM
                 (SELECT 1 FROM mail
                  WHERE site = j.value AND passed_us > %lld LIMIT %lld) AS passed)
FROM jsonb_array_elements_text(CAST(%s AS jsonb)) WITH ORDINALITY AS j (value, ordinal)
ORDER BY j.ordinal

-- These (JSON array of ids) pass the limits now.
-- name: mail_pass
UPDATE mail SET passed_us = %lld WHERE id IN (SELECT CAST(value AS bigint) FROM jsonb_array_elements_text(CAST(%s AS jsonb)))

-- The octets of a mail, once: octets, id, token.
-- name: mail_keep
UPDATE mail SET message = %s WHERE id = %lld AND lease_token = %s AND message IS NULL

-- A mail's end: state, detail, now, now, state, id, token.
-- name: mail_end
UPDATE mail SET state = %s, detail = %s, state_us = %lld, next_us = %lld, claims = 0,
                lease_token = NULL, owner = NULL,
                message = CASE %s WHEN 'failed' THEN message END
WHERE id = %lld AND lease_token = %s

-- Back to the queue: detail, tries more, when it is due, id, token.
-- name: mail_requeue
UPDATE mail SET state = 'queued', detail = %s, tries = tries + %lld, next_us = %lld, claims = 0,
                lease_token = NULL, owner = NULL
WHERE id = %lld AND lease_token = %s

-- Both for a group of mails, in one round trip: now, JSON array of [id, token, state, detail, tries
-- more, when it is due].
-- option: mail_finish
UPDATE mail SET state = j.v->>2, detail = j.v->>3, tries = tries + CAST(j.v->>4 AS integer),
                state_us = CASE j.v->>2 WHEN 'queued' THEN state_us ELSE %lld END,
                next_us = CAST(j.v->>5 AS bigint), claims = 0, lease_token = NULL, owner = NULL,
                message = CASE WHEN j.v->>2 IN ('queued', 'failed') THEN message END
FROM jsonb_array_elements(CAST(%s AS jsonb)) AS j (v)
WHERE id = CAST(j.v->>0 AS bigint) AND lease_token = j.v->>1

-- What this owner claimed before it died: now, owner.
-- name: mail_release
UPDATE mail SET state = 'queued', next_us = %lld,
                lease_token = NULL, owner = NULL
WHERE state = 'sending' AND owner = %s AND state IN ('queued', 'sending')

-- Mails of a site that nobody is sending and that were queued before then: site, now, then.
-- name: mail_old
SELECT id FROM mail
WHERE site = %s AND state IN ('queued', 'sending') AND next_us < 9223372036854775807
AND (state = 'queued' OR next_us <= %lld) AND state_us < %lld LIMIT 500

-- The same, given up: now, why, ids, now, then.
-- name: mail_expire
UPDATE mail SET state = 'failed', state_us = %lld,
                detail = CAST(%s AS text) || CASE detail WHEN '' THEN '' ELSE '; last: ' || detail END,
                lease_token = NULL, owner = NULL
WHERE id IN (SELECT CAST(value AS bigint) FROM jsonb_array_elements_text(CAST(%s AS jsonb))) AND state IN ('queued', 'sending')
AND (state = 'queued' OR next_us <= %lld) AND state_us < %lld

-- Mails of each site but these that nobody has touched since then: JSON array of sites, then.
-- name: mail_strays
SELECT site, count(*) FROM mail
WHERE state IN ('queued', 'sending') AND site NOT IN (
    SELECT j.value FROM jsonb_array_elements_text(CAST(%s AS jsonb)) AS j (value))
GROUP BY site HAVING max(next_us) <= %lld ORDER BY site

-- At most 500 mails lose what only sending and limits needed; the history keeps the rest: state, a
-- time.
-- name: mail_purge
UPDATE mail SET recipient = '', recipient_key = '', recipient_domain = '', passed_us = NULL,
                message = NULL
WHERE id = ANY (ARRAY(
    SELECT id FROM mail
    WHERE state IN ('sent', 'failed', 'suppressed') AND recipient <> ''
    AND state = %s AND state_us < %lld ORDER BY state_us LIMIT 500 FOR UPDATE SKIP LOCKED))

-- For the administrator, newest first.
-- name: mail_list
SELECT id, ticket, site, recipient, CASE state WHEN 'sending' THEN 'queued' ELSE state END, detail,
       tries, created_us, state_us
FROM mail WHERE state <> 'sent' ORDER BY id DESC LIMIT %lld

-- queued includes sending.
-- name: mail_list_state
SELECT id, ticket, site, recipient, CASE state WHEN 'sending' THEN 'queued' ELSE state END, detail,
       tries, created_us, state_us
FROM mail WHERE CASE state WHEN 'sending' THEN 'queued' ELSE state END = %s
ORDER BY id DESC LIMIT %lld

-- Queue it again; who asks for that is above the limits, but it counts: now, now, now, id.
-- name: mail_retry
UPDATE mail SET state = 'queued', detail = '', state_us = %lld, next_us = %lld, passed_us = %lld,
                tries = 0, claims = 0
WHERE id = %lld AND state IN ('failed', 'suppressed') AND recipient <> ''
