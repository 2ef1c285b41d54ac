\set i random(1, 1000000000)
BEGIN;
INSERT INTO ticket (user_id, name, phone_number, email, message)
VALUES ('user7', 'Customer Number ' || :i, '+1-555-0001234', 'customer' || :i || '@example.org',
        'Ticket ' || :i || ': my order has not arrived yet, the tracking page shows no news since last week. Could you please look into it?')
RETURNING id AS ticket, created_at, updated_at \gset
INSERT INTO outbox (ticket_id, recipient) VALUES (:ticket, 'customer' || :i || '@example.org');
COMMIT;
