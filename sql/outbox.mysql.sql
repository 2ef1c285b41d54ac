-- What the outbox asks of MariaDB, in the notation of queries.sqlite3.sql. The time now is that of
-- "clock", as a parameter.

-- Which of these sites (JSON array) have a mail that is due now.
-- name: mail_due
SELECT j.value FROM JSON_TABLE(%s, '$[*]' COLUMNS (ordinal FOR ORDINALITY, value varchar(255) CHARACTER SET utf8mb4 PATH '$')) AS j
WHERE EXISTS (SELECT 1 FROM mail
              WHERE site = j.value AND waits IN (0, 1) AND next_us <= %lld)

-- Claim: token, owner, until, site, now, how many. sending stays since state_us in state
-- queued. The two differ in which mails they take: those that may kill their sender come alone. Left
-- alone, UPDATE takes another index and sorts all that waits.
-- name: mail_claim
UPDATE mail FORCE INDEX (mail_next)
SET state = 'sending', claims = claims + 1, lease_token = %s, owner = %s, next_us = %lld
WHERE site = %s AND waits = 0 AND next_us <= %lld
ORDER BY next_us LIMIT %lld

-- name: mail_claim_suspect
UPDATE mail FORCE INDEX (mail_next)
SET state = 'sending', claims = claims + 1, lease_token = %s, owner = %s, next_us = %lld
WHERE site = %s AND waits = 1 AND next_us <= %lld
ORDER BY next_us LIMIT %lld

-- What that claim got, the oldest first, for the limits shall favour it: site, until, token.
-- name: mail_claimed
SELECT m.id, kind, recipient, language, message_id, m.message, tries, passed_us,
       recipient_key, recipient_domain, ticket, t.id, t.name, t.message, t.created_us
FROM mail AS m JOIN ticket AS t ON t.number = m.ticket
WHERE m.site = %s AND m.waits IN (0, 1) AND m.next_us = %lld AND m.lease_token = %s
ORDER BY m.id

-- A mail that was claimed so often without a result is given up: detail, now, site, now, how often.
-- name: mail_park
UPDATE mail FORCE INDEX (mail_next)
SET state = 'failed', detail = %s, state_us = %lld, claims = 0, lease_token = NULL, owner = NULL
WHERE site = %s AND waits = 1 AND next_us <= %lld AND claims >= %lld

-- How many mails passed, counted up to a bound, that were submitted in the given time: bound, and a
-- JSON array of [recipient_key, after, until].
-- name: mail_count_recipient
SELECT j.value, least(%lld, (SELECT count(*) FROM mail
                             WHERE recipient_key = j.value AND created_us > j.after_us
                             AND created_us <= j.until_us AND passed_us IS NOT NULL))
FROM JSON_TABLE(%s, '$[*]' COLUMNS (
        ordinal FOR ORDINALITY, value varchar(255) CHARACTER SET utf8mb4 PATH '$[0]',
        after_us bigint PATH '$[1]', until_us bigint PATH '$[2]')) AS j
ORDER BY j.ordinal

-- How many mails passed since then, counted up to a bound, for each of these keys: since, bound, and
-- a JSON array of keys.
-- name: mail_count_domain
SELECT j.value, least((SELECT count(*) FROM mail
                       WHERE recipient_domain = j.value AND passed_us > %lld), %lld)
FROM JSON_TABLE(%s, '$[*]' COLUMNS (ordinal FOR ORDINALITY, value varchar(255) CHARACTER SET utf8mb4 PATH '$')) AS j
ORDER BY j.ordinal

-- name: mail_count_site
SELECT j.value, least((SELECT count(*) FROM mail
                       WHERE site = j.value AND passed_us > %lld), %lld)
FROM JSON_TABLE(%s, '$[*]' COLUMNS (ordinal FOR ORDINALITY, value varchar(255) CHARACTER SET utf8mb4 PATH '$')) AS j
ORDER BY j.ordinal

-- These (JSON array of ids) pass the limits now. With IN (SELECT …) MariaDB's UPDATE reads all mails.
-- name: mail_pass
UPDATE (SELECT %lld AS now_us) AS clock
CROSS JOIN JSON_TABLE(%s, '$[*]' COLUMNS (id bigint PATH '$')) AS j
STRAIGHT_JOIN mail ON mail.id = j.id
SET mail.passed_us = clock.now_us

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

-- What this owner claimed before it died: now, owner.
-- name: mail_release
UPDATE mail SET state = 'queued', next_us = %lld,
                lease_token = NULL, owner = NULL
WHERE state = 'sending' AND owner = %s AND state IN ('queued', 'sending')

-- Mails of a site that nobody is sending and that were queued before then: site, now, then.
-- name: mail_old
SELECT id FROM mail
WHERE site = %s AND waits IN (0, 1) AND next_us < 9223372036854775807
AND (state = 'queued' OR next_us <= %lld) AND state_us < %lld LIMIT 500

-- The same, given up: now, why, ids, now, then.
-- name: mail_expire
UPDATE (SELECT %lld AS now_us, %s AS why) AS end
CROSS JOIN JSON_TABLE(%s, '$[*]' COLUMNS (id bigint PATH '$')) AS j
STRAIGHT_JOIN mail ON mail.id = j.id
SET mail.state = 'failed', mail.state_us = end.now_us,
    mail.detail = end.why || CASE mail.detail WHEN '' THEN '' ELSE '; last: ' || mail.detail END,
    mail.lease_token = NULL, mail.owner = NULL
WHERE mail.waits IN (0, 1) AND (mail.state = 'queued' OR mail.next_us <= %lld)
AND mail.state_us < %lld

-- Mails of each site but these that nobody has touched since then: JSON array of sites, then.
-- name: mail_strays
SELECT site, count(*) FROM mail
WHERE waits IN (0, 1) AND site NOT IN (
    SELECT j.value FROM JSON_TABLE(%s, '$[*]' COLUMNS (value varchar(255) CHARACTER SET utf8mb4 PATH '$')) AS j)
GROUP BY site HAVING max(next_us) <= %lld ORDER BY site

-- At most 500 mails lose what only sending and limits needed; the history keeps the rest: state, a
-- time.
-- name: mail_purge
UPDATE mail FORCE INDEX (mail_ended)
SET recipient = '', recipient_key = '', recipient_domain = '', passed_us = NULL, message = NULL
WHERE state = %s AND is_kept = 1 AND state_us < %lld ORDER BY state_us LIMIT 500

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
