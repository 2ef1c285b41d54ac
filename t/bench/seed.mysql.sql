-- seed.mysql.sql - tickets as a year might leave them: all statuses, mails sent; as many as @bench_rows.
SET NAMES utf8mb4;
SET SESSION max_recursive_iterations = 4294967295, sql_mode = 'PIPES_AS_CONCAT';
INSERT INTO ticket (id, user_id, name, phone_number, email, email_key, status, version, created_us,
                    updated_us, message)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < @bench_rows)
SELECT '0198c1f2-0000-7000-8000-' || lpad(lower(hex(i)), 12, '0'), 'user' || i % 1000,
       'Customer Number ' || i, '+1-555-' || lpad(i % 10000000, 7, '0'),
       'customer' || i || '@example.org', 'customer' || i || '@example.org', i % 4, 1,
       1700000000000000 + i * 1000000, 1700000000000000 + i * 1000000,
       'Ticket ' || i || ': my order has not arrived yet, the tracking page shows no news since last '
       'week. Could you please look into it?'
FROM n;
INSERT INTO mail (ticket, kind, site, recipient, recipient_key, recipient_domain, language, state, detail,
                  state_us, created_us, next_us, message_id)
SELECT number, 'confirmation', '127.0.0.1', email, email_key, 'example.org', 'en', 'sent', '', created_us,
       created_us, created_us, 'hs.' || number || '.seed' FROM ticket;
ANALYZE TABLE ticket, mail;
