-- What the outbox asks of SQLite, in the same notation as queries.sqlite3.sql. The time now is this
-- machine's clock, as a parameter: SQLite has no other.

-- Which of these sites (JSON array) have a mail that is due now.
-- name: mail_due
SELECT value FROM json_each(%s) AS j
WHERE EXISTS (SELECT 1 FROM mail INDEXED BY mail_next
              WHERE site = j.value AND state IN ('queued', 'sending') AND next_us <= %lld)

-- Claim: token, owner, until, site, now, how many. sending stays since state_us in state
-- queued. The two differ in which mails they take: those that may kill their sender come alone.
-- name: mail_claim
UPDATE mail SET state = 'sending', claims = claims + 1, lease_token = %s, owner = %s,
                next_us = %lld
WHERE id IN (SELECT id FROM mail INDEXED BY mail_next
             WHERE site = %s AND state IN ('queued', 'sending') AND next_us <= %lld AND claims < 2
             ORDER BY next_us LIMIT %lld)

-- name: mail_claim_suspect
UPDATE mail SET state = 'sending', claims = claims + 1, lease_token = %s, owner = %s,
                next_us = %lld
WHERE id IN (SELECT id FROM mail INDEXED BY mail_suspect
             WHERE site = %s AND state IN ('queued', 'sending') AND claims >= 2 AND next_us <= %lld
             ORDER BY next_us LIMIT %lld)

-- What that claim got, the oldest first, for the limits shall favour it: site, until, token.
-- name: mail_claimed
SELECT m.id, kind, recipient, language, message_id, m.message, tries, passed_us,
       recipient_key, recipient_domain, ticket, t.id, t.name, t.message, t.created_us
FROM mail AS m INDEXED BY mail_next JOIN ticket AS t ON t.number = m.ticket
WHERE m.site = %s AND m.state IN ('queued', 'sending') AND m.next_us = %lld AND m.lease_token = %s
ORDER BY m.id

-- A mail that was claimed so often without a result is given up: detail, now, site, now, how often.
-- name: mail_park
UPDATE mail SET state = 'failed', detail = %s, state_us = %lld, claims = 0,
                lease_token = NULL, owner = NULL
WHERE id IN (SELECT id FROM mail INDEXED BY mail_suspect
             WHERE site = %s AND state IN ('queued', 'sending') AND claims >= 2 AND next_us <= %lld
             AND claims >= %lld)

-- How many mails passed, counted up to a bound, that were submitted in the given time: bound, and a
-- JSON array of [recipient_key, after, until].
-- name: mail_count_recipient
SELECT j.value->>0, (SELECT count(*) FROM
                     (SELECT 1 FROM mail INDEXED BY mail_passed_recipient
                      WHERE recipient_key = j.value->>0 AND created_us > j.value->>1
                      AND created_us <= j.value->>2 AND passed_us IS NOT NULL LIMIT %lld))
FROM json_each(%s) AS j

-- How many mails passed since then, counted up to a bound, for each of these keys: since, bound, and
-- a JSON array of keys.
-- name: mail_count_domain
SELECT j.value, (SELECT count(*) FROM
                 (SELECT 1 FROM mail INDEXED BY mail_passed_domain
                  WHERE recipient_domain = j.value AND passed_us > %lld LIMIT %lld))
FROM json_each(%s) AS j

-- name: mail_count_site
SELECT j.value, (SELECT count(*) FROM
                 (SELECT 1 FROM mail INDEXED BY mail_passed_site
                  WHERE site = j.value AND passed_us > %lld LIMIT %lld))
FROM json_each(%s) AS j

-- These (JSON array of ids) pass the limits now.
-- name: mail_pass
UPDATE mail SET passed_us = %lld WHERE id IN (SELECT value FROM json_each(%s))

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
SELECT id FROM mail INDEXED BY mail_next
WHERE site = %s AND state IN ('queued', 'sending') AND next_us < 9223372036854775807
AND (state = 'queued' OR next_us <= %lld) AND state_us < %lld LIMIT 500

-- The same, given up: now, why, ids, now, then.
-- name: mail_expire
UPDATE mail SET state = 'failed', state_us = %lld,
                detail = %s || CASE detail WHEN '' THEN '' ELSE '; last: ' || detail END,
                lease_token = NULL, owner = NULL
WHERE id IN (SELECT value FROM json_each(%s)) AND state IN ('queued', 'sending')
AND (state = 'queued' OR next_us <= %lld) AND state_us < %lld

-- Mails of each site but these that nobody has touched since then: JSON array of sites, then. Steps
-- from site to site in the index.
-- name: mail_strays
WITH RECURSIVE s(site) AS (
    SELECT min(site) FROM mail INDEXED BY mail_next WHERE state IN ('queued', 'sending')
    UNION ALL
    SELECT (SELECT min(m.site) FROM mail AS m INDEXED BY mail_next
            WHERE m.site > s.site AND m.state IN ('queued', 'sending'))
    FROM s WHERE s.site IS NOT NULL)
SELECT s.site, (SELECT count(*) FROM mail AS m INDEXED BY mail_next
                WHERE m.site = s.site AND m.state IN ('queued', 'sending'))
FROM s WHERE s.site IS NOT NULL AND s.site NOT IN (SELECT value FROM json_each(%s))
AND NOT EXISTS (SELECT 1 FROM mail AS m INDEXED BY mail_next
                WHERE m.site = s.site AND m.state IN ('queued', 'sending') AND m.next_us > %lld)

-- At most 500 mails lose what only sending and limits needed; the history keeps the rest: state, a
-- time.
-- name: mail_purge
UPDATE mail SET recipient = '', recipient_key = '', recipient_domain = '', passed_us = NULL,
                message = NULL
WHERE id IN (SELECT id FROM mail INDEXED BY mail_ended
             WHERE state IN ('sent', 'failed', 'suppressed') AND recipient <> ''
             AND state = %s AND state_us < %lld ORDER BY state_us LIMIT 500)

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
