-- Version 1. Times are microseconds since the Unix epoch, by the clock of this database. Ids of requests and deliveries are of version 7:
-- their order is that of time. No foreign keys: each would lock and mark rows that every command shares; `clipia doctor` looks at all rows.
-- Rows that change often have room beside them on their page (`fillfactor`), and no index on what changes.

CREATE TABLE account (
    id          TEXT COLLATE "C" PRIMARY KEY,
    available   BIGINT NOT NULL CHECK (available >= 0),
    held        BIGINT NOT NULL CHECK (held >= 0),
    sandbox_kept BIGINT NOT NULL DEFAULT 0 CHECK (sandbox_kept >= 0), -- its requests of the sandbox
    created_at  BIGINT NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_limit = 1000);

CREATE TABLE webhook_secret (
    account     TEXT NOT NULL,
    secret      TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT, -- of one that was replaced
    last_from   BIGINT, -- when it comes last in the header, though older ones still sign
    PRIMARY KEY (account, created_at)
);

CREATE TABLE api_key (
    number      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- rises: two may be made in one microsecond
    id          TEXT COLLATE "C" NOT NULL UNIQUE,
    account     TEXT NOT NULL,
    hash        BYTEA NOT NULL UNIQUE,
    hint        TEXT NOT NULL,
    sandbox     BOOLEAN NOT NULL,
    may_generate BOOLEAN NOT NULL,
    -- Null where the server's default holds; 0 lifts a limit.
    requests_per_minute BIGINT CHECK (requests_per_minute >= 0),
    in_flight_max BIGINT CHECK (in_flight_max >= 0),
    in_flight   BIGINT NOT NULL DEFAULT 0 CHECK (in_flight >= 0), -- its live requests that have not ended
    created_at  BIGINT NOT NULL,
    revoked_at  BIGINT
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_limit = 1000);

CREATE INDEX api_key_account ON api_key (account);

-- What all nodes have told that they spent of the rate budgets of keys. After a crash of the database every budget is whole, so this is
-- in no log.
CREATE UNLOGGED TABLE key_budget (
    key         TEXT COLLATE "C" PRIMARY KEY,
    arrival     BIGINT NOT NULL, -- the theoretical arrival time of the next request
    spent       BIGINT NOT NULL, -- what a node told last
    told_at     BIGINT NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_limit = 1000);

-- What nodes have said lately that no other table shows, for those that look. It is in no log: what is lost is found a little later.
CREATE UNLOGGED TABLE notice (
    number      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          BIGINT NOT NULL,
    said        TEXT NOT NULL -- as JSON
);

CREATE TABLE request (
    id          UUID PRIMARY KEY,
    account     TEXT NOT NULL,
    api_key     TEXT NOT NULL,
    sandbox     BOOLEAN NOT NULL,
    model       TEXT NOT NULL,
    queue       TEXT NOT NULL,
    phase       TEXT NOT NULL CHECK (phase IN ('queued', 'running', 'completed', 'failed', 'canceled')),
    epoch       BIGINT NOT NULL,
    rescues     BIGINT NOT NULL,
    ticket      BIGINT NOT NULL,
    attempt_max BIGINT NOT NULL CHECK (attempt_max > 0),
    elsewhere   BOOLEAN NOT NULL, -- it names a file on another host
    progress    BIGINT NOT NULL CHECK (progress BETWEEN 0 AND 100),
    cost        BIGINT NOT NULL CHECK (cost >= 0),
    charged     BIGINT CHECK (charged BETWEEN 0 AND cost),
    webhook_url TEXT,
    base_url    TEXT NOT NULL,
    error_code  TEXT,
    error_message TEXT,
    created_at  BIGINT NOT NULL,
    completed_at BIGINT,
    named       BOOLEAN NOT NULL, -- an idempotency record names it
    expired_at  BIGINT, -- when its media were let go
    input_gone  BOOLEAN NOT NULL DEFAULT FALSE, -- its input was let go
    attempts_gone BOOLEAN NOT NULL DEFAULT FALSE, -- the attempts at it and at its delivery were let go
    logged      BIGINT NOT NULL DEFAULT 0 -- the epoch of the latest attempt that has log lines
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX request_account ON request (account, id);
-- The oldest of the sandbox make room for new ones.
CREATE INDEX request_sandbox ON request (account, id) WHERE sandbox;
-- The latest ticket of a queue is read from here: this index has no dead entries at its end, whatever was claimed.
CREATE INDEX request_ticket ON request (queue, ticket) WHERE ticket > 0;

-- Large and rarely read, so kept apart from what every poll reads.
CREATE TABLE request_content (
    request     UUID PRIMARY KEY,
    input       TEXT NOT NULL,
    warnings    TEXT NOT NULL,
    output      TEXT
);

CREATE TABLE queue (
    name        TEXT PRIMARY KEY,
    floor       BIGINT NOT NULL DEFAULT 0, -- no ticket is lower: of requests that were let go, or have ids of another time
    paused_at   BIGINT -- while nothing of it is claimed
);

-- Places that are taken. Lane 0 is for requests that a worker had, lane 1 for those whose epoch is 0.
CREATE TABLE queue_item (
    queue       TEXT NOT NULL,
    lane        BIGINT NOT NULL,
    ticket      BIGINT NOT NULL,
    account     TEXT NOT NULL,
    request     UUID NOT NULL,
    aside_until BIGINT, -- it keeps its place and is passed over: its account fetches as many files as it may
    PRIMARY KEY (queue, lane, ticket)
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_limit = 1000);

CREATE INDEX queue_item_account ON queue_item (queue, account, lane, ticket);

-- Who left the places of new requests, for the nodes that have the places in memory. It is kept for some minutes, in the order of the
-- transactions.
CREATE TABLE queue_left (
    queue       TEXT NOT NULL,
    transaction BIGINT NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    account     TEXT NOT NULL,
    tickets     BIGINT[] NOT NULL,
    at          BIGINT NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_limit = 1000);

CREATE INDEX queue_left_transaction ON queue_left (queue, transaction);

-- The turns of accounts. An account has its turn while a request of it waits in lane 1; a row without one is what was left.
CREATE TABLE queue_turn (
    queue       TEXT NOT NULL,
    account     TEXT NOT NULL,
    turn        BIGINT NOT NULL,
    PRIMARY KEY (queue, account)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_limit = 1000);

-- Turns rise, and no two are the same, whatever commits first.
CREATE SEQUENCE turn;

-- Workers on other machines. A row stays: attempts name it.
CREATE TABLE worker (
    name        TEXT COLLATE "C" PRIMARY KEY,
    hash        BYTEA NOT NULL UNIQUE, -- of its token
    hint        TEXT NOT NULL,
    executors   TEXT NOT NULL, -- that it may be, as JSON
    quiet       BOOLEAN NOT NULL DEFAULT FALSE, -- it claims nothing more
    created_at  BIGINT NOT NULL,
    revoked_at  BIGINT
);

-- Processes that work with a worker's token.
CREATE TABLE worker_session (
    worker      TEXT NOT NULL,
    session     UUID NOT NULL,
    executor    TEXT NOT NULL,
    host        TEXT NOT NULL,
    gpu         TEXT,
    version     TEXT NOT NULL,
    slots       BIGINT NOT NULL,
    since       BIGINT NOT NULL,
    seen_at     BIGINT NOT NULL, -- decides when it is forgotten, and is shown
    PRIMARY KEY (worker, session)
) WITH (fillfactor = 50);

CREATE TABLE lease (
    request     UUID PRIMARY KEY,
    node        UUID NOT NULL, -- the process that has claimed it
    worker      TEXT, -- on another machine, that the process has claimed it for
    session     UUID, -- of that worker
    claimed_at  BIGINT NOT NULL,
    deadline_at BIGINT NOT NULL,
    until       BIGINT NOT NULL,
    -- The log of the attempt: the lines that it logged, and of those that are kept how many there are and how many bytes.
    log_logged  BIGINT NOT NULL DEFAULT 0,
    log_lines   BIGINT NOT NULL DEFAULT 0,
    log_bytes   BIGINT NOT NULL DEFAULT 0,
    CHECK ((worker IS NULL) = (session IS NULL))
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_limit = 1000);

CREATE INDEX lease_session ON lease (worker, session) WHERE session IS NOT NULL;

-- How each lease ended.
CREATE TABLE attempt (
    request     UUID NOT NULL,
    epoch       BIGINT NOT NULL,
    claimed_at  BIGINT NOT NULL,
    ended_at    BIGINT NOT NULL,
    ending      TEXT NOT NULL CHECK (ending IN ('completed', 'failed', 'released', 'lost', 'canceled')),
    worker      TEXT, -- on another machine, that had the lease
    session     UUID,
    PRIMARY KEY (request, epoch)
);

-- What attempts logged: some lines a row, with a line feed between two.
CREATE TABLE request_log (
    request     UUID NOT NULL,
    epoch       BIGINT NOT NULL,
    start       BIGINT NOT NULL, -- how many lines of the attempt came before
    at          BIGINT NOT NULL, -- when they were reported
    lines       TEXT NOT NULL,
    PRIMARY KEY (request, epoch, start)
);

-- One row for each movement of credits, with what is entered in each book; a request is reserved for once and settled
-- once. The movements of requests that were let go are summed in one opening movement of their account.
CREATE TABLE movement (
    id          UUID NOT NULL, -- of the request, or of the movement itself
    settles     BOOLEAN NOT NULL CHECK (settles = (kind IN ('capture', 'release'))),
    account     TEXT NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('grant', 'reserve', 'capture', 'release', 'opening')),
    available   BIGINT NOT NULL,
    held        BIGINT NOT NULL,
    issuance    BIGINT NOT NULL,
    revenue     BIGINT NOT NULL,
    at          BIGINT NOT NULL,
    PRIMARY KEY (id, settles),
    CHECK (available + held + issuance + revenue = 0)
);

CREATE UNIQUE INDEX movement_opening ON movement (account) WHERE kind = 'opening';

CREATE TABLE usage_day (
    account     TEXT NOT NULL,
    day         BIGINT NOT NULL,
    requests    BIGINT NOT NULL,
    credits     BIGINT NOT NULL,
    PRIMARY KEY (account, day)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_limit = 1000);

CREATE TABLE idempotency (
    account     TEXT NOT NULL,
    sandbox     BOOLEAN NOT NULL,
    key         TEXT NOT NULL,
    fingerprint BYTEA NOT NULL,
    request     UUID NOT NULL,
    expires_at  BIGINT NOT NULL,
    PRIMARY KEY (account, sandbox, key)
);

CREATE INDEX idempotency_expires ON idempotency (expires_at);

CREATE TABLE delivery (
    id          UUID PRIMARY KEY,
    request     UUID NOT NULL UNIQUE,
    account     TEXT NOT NULL,
    sandbox     BOOLEAN NOT NULL, -- of its request
    host        TEXT NOT NULL,
    url         TEXT NOT NULL,
    body        BYTEA NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'abandoned', 'held')),
    attempts    BIGINT NOT NULL, -- of the schedule
    created_at  BIGINT NOT NULL,
    due_at      BIGINT NOT NULL, -- the next attempt of the schedule
    replay_at   BIGINT, -- one that an operator asked for
    next_at     BIGINT, -- the next attempt of either kind
    claimed_until BIGINT, -- while an attempt is under way
    claimed_by  UUID, -- the process that attempts it
    postponed   BOOLEAN NOT NULL, -- its host or its owner has no room
    settled_at  BIGINT,
    CHECK ((claimed_by IS NULL) = (claimed_until IS NULL)),
    CHECK ((settled_at IS NULL) = (state IN ('pending', 'held')))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX delivery_due ON delivery (next_at) WHERE next_at IS NOT NULL AND claimed_until IS NULL AND NOT postponed;
CREATE INDEX delivery_claimed ON delivery (claimed_until) WHERE claimed_until IS NOT NULL;
CREATE INDEX delivery_postponed ON delivery (account, sandbox, host, next_at) WHERE postponed;
CREATE INDEX delivery_postponed_age ON delivery (due_at) WHERE postponed;
CREATE INDEX delivery_abandoned ON delivery (settled_at) WHERE state = 'abandoned';
CREATE INDEX delivery_held ON delivery (id) WHERE state = 'held';
CREATE INDEX delivery_account ON delivery (account, id);

CREATE TABLE delivery_attempt (
    delivery    UUID NOT NULL,
    number      BIGINT NOT NULL,
    replay      BOOLEAN NOT NULL,
    at          BIGINT NOT NULL,
    status      BIGINT,
    duration_ms BIGINT NOT NULL,
    class       TEXT NOT NULL,
    error       TEXT,
    reply       TEXT NOT NULL,
    PRIMARY KEY (delivery, number)
);

-- Which node leads each task that one node does for all.
CREATE TABLE term (
    task        TEXT PRIMARY KEY,
    node        UUID NOT NULL,
    until       BIGINT NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_limit = 1000);

-- Files of callers. The files themselves are among the media.
CREATE TABLE upload (
    id          UUID PRIMARY KEY,
    account     TEXT NOT NULL,
    bytes       BIGINT NOT NULL CHECK (bytes > 0),
    expires_at  BIGINT NOT NULL -- from then on no new request may name it
);

CREATE INDEX upload_account ON upload (account, bytes);

-- The uploads that the input of a request names. The rows go with the upload; the request may go before.
CREATE TABLE upload_use (
    upload      UUID NOT NULL,
    request     UUID NOT NULL,
    PRIMARY KEY (upload, request)
);

-- What operators did, and how often tokens were refused. Nothing secret.
CREATE TABLE audit (
    number      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          BIGINT NOT NULL,
    act         TEXT NOT NULL,
    subject     TEXT NOT NULL,
    detail      TEXT NOT NULL
);
