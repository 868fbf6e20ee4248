-- Version 4. What an operator looks at: the words of requests, by which they are found, and what queues did in each minute. Words are kept
-- by month, as requests are.

CREATE TABLE request_text (
    request     UUID NOT NULL,
    words       TSVECTOR NOT NULL,
    PRIMARY KEY (request)
) PARTITION BY RANGE (request);

CREATE INDEX request_text_words ON request_text USING gin (words);

-- How far texts were taken in.
CREATE TABLE text_index (
    single      BOOLEAN PRIMARY KEY CHECK (single),
    through     UUID NOT NULL, -- all requests with lower ids were looked at
    looked_back_at BIGINT NOT NULL -- when those were looked for that came late
) WITH (fillfactor = 50);

INSERT INTO text_index (single, through, looked_back_at) VALUES (TRUE, '00000000-0000-0000-0000-000000000000', 0);

-- Requests that failed, and whose error message is not among their words yet.
CREATE TABLE failed_text (
    request     UUID PRIMARY KEY
);

-- Each node has rows of its own, so that no two write the same one.
CREATE TABLE queue_minute (
    minute      BIGINT NOT NULL, -- its beginning
    queue       TEXT COLLATE "C" NOT NULL,
    node        UUID NOT NULL,
    submitted   BIGINT NOT NULL,
    completed   BIGINT NOT NULL,
    failed      BIGINT NOT NULL,
    canceled    BIGINT NOT NULL,
    credits     BIGINT NOT NULL,
    run_micros  BIGINT NOT NULL,
    PRIMARY KEY (minute, queue, node)
) WITH (fillfactor = 50);

-- The same as before, with the words.
CREATE OR REPLACE FUNCTION make_month(made UUID) RETURNS UUID LANGUAGE plpgsql AS $$
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
        ('request_log', ''),
        ('request_text', '')
    LOOP
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL) %s', whole || '_' || suffix, whole, options);
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', whole, whole || '_' || suffix, lowest, following);
    END LOOP;
    INSERT INTO month (name, first, after, rest) VALUES (suffix, lowest, following, lowest);
    RETURN following;
END
$$;

-- The months that there are. One whose tables are apart gets a table as well, which is dropped with them.
DO $$
DECLARE
    of month;
BEGIN
    FOR of IN SELECT * FROM month LOOP
        EXECUTE format('CREATE TABLE %I (LIKE request_text INCLUDING ALL)', 'request_text_' || of.name);
        IF of.leaving_at IS NULL THEN
            EXECUTE format('ALTER TABLE request_text ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', 'request_text_' || of.name, of.first, of.after);
        END IF;
    END LOOP;
END
$$;
