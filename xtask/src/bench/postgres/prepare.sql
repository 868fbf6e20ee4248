-- The time of a transaction, in microseconds.
CREATE FUNCTION bench_now() RETURNS BIGINT LANGUAGE sql STABLE AS $$ SELECT (extract(epoch FROM now()) * 1000000)::bigint $$;

-- An id of version 7 of the time of the transaction, with these random bits.
CREATE FUNCTION bench_id(random BIGINT) RETURNS UUID LANGUAGE sql STABLE AS $$
    SELECT (lpad(to_hex(bench_now() / 1000), 12, '0') || '70008' || lpad(to_hex(random), 15, '0'))::uuid
$$;

-- The account and the key of pgbench.
INSERT INTO account (id, available, held, created_at) VALUES ('pgbench', 1000000000, 0, bench_now());
INSERT INTO api_key (id, account, hash, hint, sandbox, may_generate, created_at)
    VALUES ('pgbench', 'pgbench', decode(repeat('ab', 32), 'hex'), '', FALSE, TRUE, bench_now());
