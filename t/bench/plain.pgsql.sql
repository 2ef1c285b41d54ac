-- plain.pgsql.sql - what a web framework's user would have made, for pgbench: two tables, two indexes.
-- psql -v rows=N
CREATE TABLE ticket (
    id           uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id      text        NOT NULL,
    name         text        NOT NULL,
    phone_number text        NOT NULL,
    email        text        NOT NULL,
    message      text        NOT NULL,
    status       text        NOT NULL DEFAULT 'open',
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE outbox (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticket_id  uuid        NOT NULL,
    recipient  text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    sent_at    timestamptz
);
INSERT INTO ticket
SELECT CAST('0198c1f2-0000-7000-8000-' || lpad(to_hex(i), 12, '0') AS uuid), 'user' || i % 1000,
       'Customer Number ' || i, '+1-555-' || lpad(CAST(i % 10000000 AS text), 7, '0'),
       'customer' || i || '@example.org',
       'Ticket ' || i || ': my order has not arrived yet, the tracking page shows no news since last '
       'week. Could you please look into it?', (ARRAY['open', 'pending', 'resolved', 'closed'])[1 + i % 4],
       now() - (:rows - i) * interval '1 second', now() - (:rows - i) * interval '1 second'
FROM generate_series(1, :rows) AS n (i);
CREATE INDEX ticket_newest ON ticket (created_at DESC, id DESC);
VACUUM ANALYZE ticket;
CHECKPOINT;
