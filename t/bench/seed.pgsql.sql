-- seed.pgsql.sql - tickets as a year might leave them: all statuses, mails sent. psql -v rows=N
INSERT INTO ticket (id, user_id, name, phone_number, email, email_key, status, version, created_us,
                    updated_us, message)
SELECT id, user_id, name, phone_number, email, email, status, 1, us, us, message
FROM (SELECT '0198c1f2-0000-7000-8000-' || lpad(to_hex(i), 12, '0') AS id, 'user' || i % 1000 AS user_id,
             'Customer Number ' || i AS name,
             '+1-555-' || lpad(CAST(i % 10000000 AS text), 7, '0') AS phone_number,
             'customer' || i || '@example.org' AS email, i % 4 AS status, 1700000000000000 + i * 1000000 AS us,
             'Ticket ' || i || ': my order has not arrived yet, the tracking page shows no news since '
             'last week. Could you please look into it?' AS message
      FROM generate_series(CAST(1 AS bigint), :rows) AS n (i)) AS t
ORDER BY us;
INSERT INTO mail (ticket, kind, site, recipient, recipient_key, recipient_domain, language, state, detail,
                  state_us, created_us, next_us, message_id)
SELECT number, 'confirmation', '127.0.0.1', email, email_key, 'example.org', 'en', 'sent', '', created_us,
       created_us, created_us, 'hs.' || number || '.seed' FROM ticket ORDER BY number;
VACUUM ANALYZE ticket;
VACUUM ANALYZE mail;
