\set r random(0, 1152921504606846975)
\startpipeline
BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL lock_timeout = '5s';
SET LOCAL idle_in_transaction_session_timeout = '10s';
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now;
SELECT id, available, held, sandbox_kept FROM account WHERE id = 'pgbench' ORDER BY id FOR NO KEY UPDATE;
SELECT id, in_flight, revoked_at IS NULL AS in_force FROM api_key WHERE id = 'pgbench' ORDER BY id FOR NO KEY UPDATE;
SELECT fingerprint, request, expires_at FROM idempotency WHERE account = 'pgbench' AND NOT sandbox AND key = bench_id(:r)::text;
SELECT pg_advisory_xact_lock(hashtextextended('clipia tail pgbench', 7165));
SELECT greatest(0, (SELECT max(ticket) FROM request_MONTH WHERE queue = 'pgbench' AND ticket > 0), (SELECT floor FROM queue WHERE name = 'pgbench')) AS tail;
INSERT INTO request_content_MONTH (request, input, warnings) VALUES (bench_id(:r), '{"aspect_ratio":"16:9","prompt":"a red fox in snow","seed":7}', '[]');
INSERT INTO request_MONTH (id, account, api_key, sandbox, model, queue, phase, epoch, rescues, ticket, attempt_max, elsewhere, progress, cost, base_url, created_at, named)
    SELECT bench_id(:r), 'pgbench', 'pgbench', FALSE, 'pgbench', 'pgbench', 'queued', 0, 0, 1 + coalesce(max(ticket), 0), 1800000000, FALSE, 0, 12, 'http://localhost', bench_now(), TRUE
    FROM request_MONTH WHERE queue = 'pgbench' AND ticket > 0;
INSERT INTO queue (name) SELECT 'pgbench' WHERE NOT EXISTS (SELECT FROM queue WHERE name = 'pgbench') ON CONFLICT DO NOTHING;
INSERT INTO queue_turn (queue, account, turn) SELECT 'pgbench', 'pgbench', nextval('turn')
    WHERE (SELECT TRUE FROM queue_item WHERE queue = 'pgbench' AND account = 'pgbench' AND lane = 1 LIMIT 1) IS NULL
    ON CONFLICT (queue, account) DO UPDATE SET turn = excluded.turn;
INSERT INTO queue_item (queue, lane, ticket, account, request) SELECT 'pgbench', 1, ticket, 'pgbench', id FROM request_MONTH WHERE id = bench_id(:r);
INSERT INTO movement (id, settles, account, kind, available, held, issuance, revenue, at) VALUES (bench_id(:r), FALSE, 'pgbench', 'reserve', -12, 12, 0, 0, bench_now());
UPDATE account SET available = available - 12, held = held + 12 WHERE id = 'pgbench';
UPDATE api_key SET in_flight = in_flight + 1 WHERE id = 'pgbench';
INSERT INTO usage_day (account, day, requests, credits) VALUES ('pgbench', 0, 1, 12)
    ON CONFLICT (account, day) DO UPDATE SET requests = usage_day.requests + excluded.requests, credits = usage_day.credits + excluded.credits;
INSERT INTO idempotency (account, sandbox, key, fingerprint, request, expires_at) VALUES ('pgbench', FALSE, bench_id(:r)::text, decode(repeat('ab', 32), 'hex'), bench_id(:r), bench_now() + 86400000000)
    ON CONFLICT (account, sandbox, key) DO UPDATE SET fingerprint = excluded.fingerprint, request = excluded.request, expires_at = excluded.expires_at;
COMMIT;
\endpipeline
