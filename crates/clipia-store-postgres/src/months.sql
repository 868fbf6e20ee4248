-- Version 2. Requests, their contents, their attempts and their log lines are kept by month, each month in tables of its own: a month that
-- has had its time is dropped. A request is of the month in which its id was made, by UTC; its other rows are of the same month.

-- The lowest id that can be made at a moment.
CREATE FUNCTION first_id(at TIMESTAMP) RETURNS UUID LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- The beginning of the month in which an id was made.
CREATE FUNCTION month_of(id UUID) RETURNS TIMESTAMP LANGUAGE sql IMMUTABLE AS $$
    SELECT date_trunc('month', to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0) AT TIME ZONE 'UTC')
$$;

-- The months that have tables.
CREATE TABLE month (
    name        TEXT COLLATE "C" PRIMARY KEY, -- the end of the names of its tables
    first       UUID NOT NULL, -- the lowest id of its requests
    after       UUID NOT NULL, -- the lowest id of the next month
    leaving_at  BIGINT, -- since when its tables are apart: its requests are gone, and what names them is being removed
    rest        UUID NOT NULL -- the lowest id of those of which that is not done
);

-- Makes the tables of the month in which an id was made, unless they are there. Returns the lowest id of the next month. The tables are made
-- first and become part of the history then: commands go on meanwhile.
CREATE FUNCTION make_month(made UUID) RETURNS UUID LANGUAGE plpgsql AS $$
DECLARE
    starts TIMESTAMP := month_of(made);
    suffix TEXT := to_char(starts, 'YYYY_MM');
    lowest UUID := first_id(starts);
    following UUID := first_id(starts + INTERVAL '1 month');
    whole TEXT;
    options TEXT;
BEGIN
    IF EXISTS (SELECT FROM month WHERE name = suffix) THEN
        RETURN following;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('clipia months', 7165));
    IF EXISTS (SELECT FROM month WHERE name = suffix) THEN
        RETURN following;
    END IF;
    FOR whole, options IN VALUES
        ('request', 'WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05)'),
        ('request_content', ''),
        ('attempt', ''),
        ('request_log', '')
    LOOP
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL) %s', whole || '_' || suffix, whole, options);
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', whole, whole || '_' || suffix, lowest, following);
    END LOOP;
    INSERT INTO month (name, first, after, rest) VALUES (suffix, lowest, following, lowest);
    RETURN following;
END
$$;

ALTER TABLE request RENAME TO old_request;
ALTER TABLE old_request DROP CONSTRAINT request_pkey;
DROP INDEX request_account, request_sandbox, request_ticket;
CREATE TABLE request (LIKE old_request INCLUDING DEFAULTS INCLUDING CONSTRAINTS, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE INDEX request_account ON request (account, id);
-- The oldest of the sandbox make room for new ones.
CREATE INDEX request_sandbox ON request (account, id) WHERE sandbox;
-- The latest ticket of a queue is read from here: this index has no dead entries at its end, whatever was claimed.
CREATE INDEX request_ticket ON request (queue, ticket) WHERE ticket > 0;

ALTER TABLE request_content RENAME TO old_request_content;
ALTER TABLE old_request_content DROP CONSTRAINT request_content_pkey;
CREATE TABLE request_content (LIKE old_request_content INCLUDING DEFAULTS INCLUDING CONSTRAINTS, PRIMARY KEY (request)) PARTITION BY RANGE (request);

ALTER TABLE attempt RENAME TO old_attempt;
ALTER TABLE old_attempt DROP CONSTRAINT attempt_pkey;
CREATE TABLE attempt (LIKE old_attempt INCLUDING DEFAULTS INCLUDING CONSTRAINTS, PRIMARY KEY (request, epoch)) PARTITION BY RANGE (request);

ALTER TABLE request_log RENAME TO old_request_log;
ALTER TABLE old_request_log DROP CONSTRAINT request_log_pkey;
CREATE TABLE request_log (LIKE old_request_log INCLUDING DEFAULTS INCLUDING CONSTRAINTS, PRIMARY KEY (request, epoch, start)) PARTITION BY RANGE (request);

SELECT make_month(min(id::text)::uuid)
FROM (SELECT id FROM old_request UNION ALL SELECT request FROM old_request_content UNION ALL SELECT request FROM old_attempt
      UNION ALL SELECT request FROM old_request_log) kept
GROUP BY month_of(id);

INSERT INTO request SELECT * FROM old_request;
INSERT INTO request_content SELECT * FROM old_request_content;
INSERT INTO attempt SELECT * FROM old_attempt;
INSERT INTO request_log SELECT * FROM old_request_log;

DROP TABLE old_request, old_request_content, old_attempt, old_request_log;
