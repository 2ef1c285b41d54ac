\set i random(1, :rows)
UPDATE ticket SET status = 'resolved', updated_at = now()
WHERE id = CAST('0198c1f2-0000-7000-8000-' || lpad(to_hex(CAST(:i AS bigint)), 12, '0') AS uuid)
RETURNING id, name, phone_number, email, message, status, created_at, updated_at;
