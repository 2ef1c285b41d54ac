-- What the outbox asks of MariaDB, in the notation of queries.sqlite3.sql. The time now is that of
-- "clock", as a parameter.

-- Which of these sites (JSON array) have a mail that is due now.
-- name: mail_due
SELECT j.value FROM JSON_TABLE(%s, '$[*]' COLUMNS (ordinal FOR ORDINALITY, value varchar(255) CHARACTER SET utf8mb4 PATH '$')) AS j
WHERE EXISTS (SELECT 1 FROM mail
              WHERE site = j.value AND state IN ('queued', 'sending') AND next_us <= %lld)

-- Claim: token, owner, until, site, now, how many. sending stays since state_us in state
-- queued. The two differ in which mails they take: those that may kill their sender come alone.
-- name: mail_claim
UPDATE mail SET state = 'sending', claims = claims + 1, lease_token = %s, owner = %s,
                next_us = %lld
WHERE site = %s AND state IN ('queued', 'sending') AND next_us <= %lld AND claims < 2
ORDER BY next_us LIMIT %lld

-- name: mail_claim_suspect
UPDATE mail SET state = 'sending', claims = claims + 1, lease_token = %s, owner = %s,
                next_us = %lld
WHERE site = %s AND state IN ('queued', 'sending') AND claims >= 2 AND next_us <= %lld
ORDER BY next_us LIMIT %lld

-- option: mail_claimed
SELECT m.id, kind, recipient, language, message_id, m.message, tries, passed_us,
       recipient_key, recipient_domain, ticket, t.id, t.name, t.message, t.created_us
FROM mail AS m JOIN ticket AS t ON t.number = m.ticket
WHERE m.lease_token = %s AND state = 'sending'

-- A mail that was claimed so often without a result is given up: detail, now, site, now, how often.
-- name: mail_park
UPDATE mail SET state = 'failed', detail = %s, state_us = %lld, claims = 0,
                lease_token = NULL, owner = NULL
WHERE site = %s AND state IN ('queued', 'sending') AND claims >= 2 AND next_us <= %lld
AND claims >= %lld

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

-- These (JSON array of ids) pass the limits now. A join, here and below: UPDATE reads the whole table
-- for the rows of an IN.
-- name: mail_pass
UPDATE (SELECT %lld AS us) AS now
CROSS JOIN JSON_TABLE(%s, '$[*]' COLUMNS (id bigint PATH '$')) AS j
JOIN mail FORCE INDEX (PRIMARY) ON mail.id = j.id
SET mail.passed_us = now.us

-- The octets of a mail, once: octets, id, token.
-- name: mail_keep
UPDATE mail SET message = %s WHERE id = %lld AND lease_token = %s AND message IS NULL

-- Results: now, now, and a batch [id, token, state, detail, delay, tries more].
-- name: mail_finish
UPDATE (SELECT %lld AS state_us, %lld AS next_us) AS now
CROSS JOIN JSON_TABLE(%s, '$[*]' COLUMNS (
        id bigint PATH '$[0]', token varchar(64) CHARACTER SET utf8mb4 PATH '$[1]', state varchar(10) CHARACTER SET utf8mb4 PATH '$[2]',
        detail varchar(2000) CHARACTER SET utf8mb4 PATH '$[3]', delay_us bigint PATH '$[4]', tries integer PATH '$[5]')) AS j
JOIN mail FORCE INDEX (PRIMARY) ON mail.id = j.id AND mail.lease_token = j.token
SET mail.state = j.state, mail.detail = j.detail, mail.tries = mail.tries + j.tries,
    mail.state_us = CASE j.state WHEN 'queued' THEN mail.state_us ELSE now.state_us END,
    mail.next_us = now.next_us + j.delay_us, mail.claims = 0,
    mail.lease_token = NULL, mail.owner = NULL,
    mail.message = CASE WHEN j.state IN ('sent', 'suppressed') THEN NULL ELSE mail.message END

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
UPDATE (SELECT %lld AS us, %s AS why) AS now
CROSS JOIN JSON_TABLE(%s, '$[*]' COLUMNS (id bigint PATH '$')) AS j
JOIN mail FORCE INDEX (PRIMARY) ON mail.id = j.id
SET mail.state = 'failed', mail.state_us = now.us,
    mail.detail = now.why || CASE mail.detail WHEN '' THEN '' ELSE '; last: ' || mail.detail END,
    mail.lease_token = NULL, mail.owner = NULL
WHERE mail.state IN ('queued', 'sending')
AND (mail.state = 'queued' OR mail.next_us <= %lld) AND mail.state_us < %lld

-- Mails of each site but these that nobody has touched since then: JSON array of sites, then.
-- name: mail_strays
SELECT site, count(*) FROM mail
WHERE state IN ('queued', 'sending') AND site NOT IN (
    SELECT j.value FROM JSON_TABLE(%s, '$[*]' COLUMNS (value varchar(255) CHARACTER SET utf8mb4 PATH '$')) AS j)
GROUP BY site HAVING max(next_us) <= %lld ORDER BY site

-- At most 500 mails lose what only sending and limits needed; the history keeps the rest: state, a
-- time.
-- name: mail_purge
UPDATE mail SET recipient = '', recipient_key = '', recipient_domain = '', passed_us = NULL,
                message = NULL
WHERE state IN ('sent', 'failed', 'suppressed') AND recipient <> ''
AND state = %s AND state_us < %lld ORDER BY state_us LIMIT 500

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
