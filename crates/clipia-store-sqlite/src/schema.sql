-- Version 1. Times are microseconds since the Unix epoch: by the steady clock of the process that wrote them where
-- something is due or ends then, by the system's clock where they are only shown; ids of requests and deliveries are the 16 bytes of a UUID. What
-- is checked to be one of several is compared with each: `IN` would make a temporary table for every row.

-- One row: where this file comes from.
CREATE TABLE store (
    only        INTEGER PRIMARY KEY CHECK (only = 1),
    backup_at   INTEGER, -- of the backup that it is, or was restored from
    restored_at INTEGER  -- when a server first ran on the backup
) STRICT;

INSERT INTO store (only) VALUES (1);

CREATE TABLE account (
    id          TEXT PRIMARY KEY,
    available   INTEGER NOT NULL CHECK (available >= 0),
    held        INTEGER NOT NULL CHECK (held >= 0),
    sandbox_kept INTEGER NOT NULL DEFAULT 0 CHECK (sandbox_kept >= 0), -- its requests of the sandbox
    created_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE webhook_secret (
    account     TEXT NOT NULL REFERENCES account (id),
    secret      TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER, -- of one that was replaced
    last_from   INTEGER, -- when it comes last in the header, though older ones still sign
    PRIMARY KEY (account, created_at)
) STRICT, WITHOUT ROWID;

CREATE TABLE api_key (
    number      INTEGER PRIMARY KEY, -- rises: two may be made in one microsecond
    id          TEXT NOT NULL UNIQUE,
    account     TEXT NOT NULL REFERENCES account (id),
    hash        BLOB NOT NULL UNIQUE,
    hint        TEXT NOT NULL,
    sandbox     INTEGER NOT NULL,
    may_generate INTEGER NOT NULL,
    -- Null where the server's default holds; 0 lifts a limit.
    requests_per_minute INTEGER CHECK (requests_per_minute >= 0),
    in_flight_max INTEGER CHECK (in_flight_max >= 0),
    in_flight   INTEGER NOT NULL DEFAULT 0 CHECK (in_flight >= 0), -- its live requests that have not ended
    created_at  INTEGER NOT NULL,
    revoked_at  INTEGER
) STRICT;

CREATE TABLE request (
    id          BLOB PRIMARY KEY,
    account     TEXT NOT NULL REFERENCES account (id),
    api_key     TEXT NOT NULL REFERENCES api_key (id),
    sandbox     INTEGER NOT NULL,
    model       TEXT NOT NULL,
    queue       TEXT NOT NULL,
    phase       TEXT NOT NULL CHECK (phase = 'queued' OR phase = 'running' OR phase = 'completed' OR phase = 'failed' OR phase = 'canceled'),
    epoch       INTEGER NOT NULL,
    rescues     INTEGER NOT NULL,
    ticket      INTEGER NOT NULL,
    attempt_max INTEGER NOT NULL CHECK (attempt_max > 0),
    elsewhere   INTEGER NOT NULL, -- it names a file on another host
    progress    INTEGER NOT NULL CHECK (progress BETWEEN 0 AND 100),
    cost        INTEGER NOT NULL CHECK (cost >= 0),
    charged     INTEGER CHECK (charged BETWEEN 0 AND cost),
    webhook_url TEXT,
    base_url    TEXT NOT NULL,
    error_code  TEXT,
    error_message TEXT,
    created_at  INTEGER NOT NULL,
    completed_at INTEGER,
    named       INTEGER NOT NULL, -- an idempotency record names it
    expired_at  INTEGER, -- when its media were let go
    input_gone  INTEGER NOT NULL DEFAULT 0, -- its input was let go
    attempts_gone INTEGER NOT NULL DEFAULT 0, -- the attempts at it and at its delivery were let go
    logged      INTEGER NOT NULL DEFAULT 0 -- the epoch of the latest attempt that has log lines
) STRICT, WITHOUT ROWID;

-- Ids rise with time, so that this lists an account's requests by age.
CREATE INDEX request_account ON request (account, id);
-- The oldest of the sandbox make room for new ones.
CREATE INDEX request_sandbox ON request (account, id) WHERE sandbox = 1;

-- Large and rarely read, so kept apart from what every poll reads.
CREATE TABLE request_content (
    request     BLOB PRIMARY KEY REFERENCES request (id),
    input       TEXT NOT NULL,
    warnings    TEXT NOT NULL,
    output      TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE queue (
    name        TEXT PRIMARY KEY,
    tail        INTEGER NOT NULL, -- the latest ticket
    paused_at   INTEGER -- while nothing of it is claimed
) STRICT, WITHOUT ROWID;

-- The turns of the accounts of which requests wait in lane 1. The least is next.
CREATE TABLE queue_turn (
    queue       TEXT NOT NULL,
    account     TEXT NOT NULL REFERENCES account (id),
    turn        INTEGER NOT NULL,
    PRIMARY KEY (queue, account)
) STRICT, WITHOUT ROWID;

-- Lane 0 is for requests that a worker had, lane 1 for those whose epoch is 0.
CREATE TABLE queue_item (
    queue       TEXT NOT NULL,
    lane        INTEGER NOT NULL,
    ticket      INTEGER NOT NULL,
    request     BLOB NOT NULL,
    PRIMARY KEY (queue, lane, ticket)
) STRICT, WITHOUT ROWID;

-- Queued, but passed over: their account fetches as many images as it may. They keep their places.
CREATE TABLE queue_aside (
    queue       TEXT NOT NULL,
    account     TEXT NOT NULL,
    lane        INTEGER NOT NULL,
    ticket      INTEGER NOT NULL,
    request     BLOB NOT NULL,
    PRIMARY KEY (queue, lane, ticket)
) STRICT, WITHOUT ROWID;

CREATE INDEX queue_aside_account ON queue_aside (queue, account, lane, ticket);

-- Every place that is taken.
CREATE VIEW queue_place AS
    SELECT queue, lane, ticket, request FROM queue_item
    UNION ALL SELECT queue, lane, ticket, request FROM queue_aside;

-- Workers on other machines. A row stays: attempts name it.
CREATE TABLE worker (
    name        TEXT PRIMARY KEY,
    hash        BLOB NOT NULL UNIQUE, -- of its token
    hint        TEXT NOT NULL,
    executors   TEXT NOT NULL, -- that it may be, as JSON
    quiet       INTEGER NOT NULL DEFAULT 0, -- it claims nothing more
    created_at  INTEGER NOT NULL,
    revoked_at  INTEGER
) STRICT, WITHOUT ROWID;

-- Processes that work with a worker's token.
CREATE TABLE worker_session (
    worker      TEXT NOT NULL REFERENCES worker (name),
    session     BLOB NOT NULL,
    executor    TEXT NOT NULL,
    host        TEXT NOT NULL,
    gpu         TEXT,
    version     TEXT NOT NULL,
    slots       INTEGER NOT NULL,
    since       INTEGER NOT NULL,
    seen_at     INTEGER NOT NULL, -- decides when it is forgotten, and is shown
    PRIMARY KEY (worker, session)
) STRICT, WITHOUT ROWID;

CREATE INDEX worker_session_seen ON worker_session (seen_at);

CREATE TABLE lease (
    request     BLOB PRIMARY KEY REFERENCES request (id),
    node        BLOB NOT NULL, -- the process that has claimed it
    worker      TEXT, -- on another machine, that the process has claimed it for
    session     BLOB, -- of that worker
    claimed_at  INTEGER NOT NULL,
    deadline_at INTEGER NOT NULL,
    until       INTEGER NOT NULL,
    -- The log of the attempt: the lines that it logged, and of those that are kept how many there are and how many bytes.
    log_logged  INTEGER NOT NULL DEFAULT 0,
    log_lines   INTEGER NOT NULL DEFAULT 0,
    log_bytes   INTEGER NOT NULL DEFAULT 0,
    CHECK ((worker IS NULL) = (session IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX lease_until ON lease (until);
CREATE INDEX lease_session ON lease (worker, session) WHERE session IS NOT NULL;

-- How each lease ended.
CREATE TABLE attempt (
    request     BLOB NOT NULL REFERENCES request (id),
    epoch       INTEGER NOT NULL,
    claimed_at  INTEGER NOT NULL,
    ended_at    INTEGER NOT NULL,
    ending      TEXT NOT NULL CHECK (ending = 'completed' OR ending = 'failed' OR ending = 'released' OR ending = 'lost' OR ending = 'canceled'),
    worker      TEXT, -- on another machine, that had the lease
    session     BLOB,
    PRIMARY KEY (request, epoch)
) STRICT, WITHOUT ROWID;

-- What attempts logged: some lines a row, with a line feed between two.
CREATE TABLE request_log (
    request     BLOB NOT NULL REFERENCES request (id),
    epoch       INTEGER NOT NULL,
    start       INTEGER NOT NULL, -- how many lines of the attempt came before
    at          INTEGER NOT NULL, -- when they were reported
    lines       TEXT NOT NULL,
    PRIMARY KEY (request, epoch, start)
) STRICT, WITHOUT ROWID;

-- One row for each movement of credits, with what is entered in each book; a request is reserved for once and settled
-- once. The movements of requests that were let go are summed in one opening movement of their account.
CREATE TABLE movement (
    id          BLOB NOT NULL, -- of the request, or of the movement itself
    settles     INTEGER NOT NULL CHECK (settles = (kind = 'capture' OR kind = 'release')),
    account     TEXT NOT NULL REFERENCES account (id),
    kind        TEXT NOT NULL CHECK (kind = 'grant' OR kind = 'reserve' OR kind = 'capture' OR kind = 'release' OR kind = 'opening'),
    request     BLOB GENERATED ALWAYS AS (CASE WHEN kind <> 'grant' AND kind <> 'opening' THEN id END) VIRTUAL REFERENCES request (id),
    available   INTEGER NOT NULL,
    held        INTEGER NOT NULL,
    issuance    INTEGER NOT NULL,
    revenue     INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    PRIMARY KEY (id, settles),
    CHECK (available + held + issuance + revenue = 0)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX movement_opening ON movement (account) WHERE kind = 'opening';

CREATE TABLE usage_day (
    account     TEXT NOT NULL REFERENCES account (id),
    day         INTEGER NOT NULL,
    requests    INTEGER NOT NULL,
    credits     INTEGER NOT NULL,
    PRIMARY KEY (account, day)
) STRICT, WITHOUT ROWID;

-- In the order they came.
CREATE TABLE idempotency (
    number      INTEGER PRIMARY KEY,
    hash        INTEGER NOT NULL, -- of account, sandbox and key
    account     TEXT NOT NULL,
    sandbox     INTEGER NOT NULL,
    key         TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    request     BLOB NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT;

-- Of those up to the number in `idempotency_indexed`, and of some later ones; the others are looked for in memory.
CREATE TABLE idempotency_index (
    hash        INTEGER NOT NULL,
    number      INTEGER NOT NULL,
    PRIMARY KEY (hash, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency_indexed (
    only        INTEGER PRIMARY KEY CHECK (only = 1),
    through     INTEGER NOT NULL
) STRICT;

CREATE TABLE delivery (
    id          BLOB PRIMARY KEY,
    request     BLOB NOT NULL UNIQUE REFERENCES request (id),
    account     TEXT NOT NULL REFERENCES account (id),
    sandbox     INTEGER NOT NULL, -- of its request
    host        TEXT NOT NULL,
    url         TEXT NOT NULL,
    body        BLOB NOT NULL,
    state       TEXT NOT NULL CHECK (state = 'pending' OR state = 'delivered' OR state = 'abandoned' OR state = 'held'),
    attempts    INTEGER NOT NULL, -- of the schedule
    created_at  INTEGER NOT NULL,
    due_at      INTEGER NOT NULL, -- the next attempt of the schedule
    replay_at   INTEGER, -- one that an operator asked for
    next_at     INTEGER, -- the next attempt of either kind
    claimed_until INTEGER, -- while an attempt is under way
    claimed_by  BLOB, -- the process that attempts it
    postponed   INTEGER NOT NULL CHECK (postponed IN (0, 1)), -- its host or its owner has no room
    settled_at  INTEGER,
    CHECK ((claimed_by IS NULL) = (claimed_until IS NULL)),
    CHECK ((settled_at IS NULL) = (state = 'pending' OR state = 'held'))
) STRICT;

CREATE INDEX delivery_due ON delivery (next_at)
    WHERE next_at IS NOT NULL AND claimed_until IS NULL AND postponed = 0;
CREATE INDEX delivery_claimed ON delivery (claimed_until) WHERE claimed_until IS NOT NULL;
CREATE INDEX delivery_postponed ON delivery (account, sandbox, host, next_at) WHERE postponed = 1;
CREATE INDEX delivery_postponed_replay ON delivery (account, sandbox, host, next_at)
    WHERE postponed = 1 AND replay_at IS NOT NULL;
CREATE INDEX delivery_postponed_age ON delivery (due_at) WHERE postponed = 1;
CREATE INDEX delivery_abandoned ON delivery (settled_at) WHERE state = 'abandoned';
CREATE INDEX delivery_state ON delivery (state, id);
CREATE INDEX delivery_account ON delivery (account, id);

CREATE TABLE delivery_attempt (
    delivery    BLOB NOT NULL REFERENCES delivery (id),
    number      INTEGER NOT NULL,
    replay      INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    status      INTEGER,
    duration_ms INTEGER NOT NULL,
    class       TEXT NOT NULL,
    error       TEXT,
    reply       TEXT NOT NULL,
    PRIMARY KEY (delivery, number)
) STRICT, WITHOUT ROWID;

-- Files of callers. The files themselves are among the media.
CREATE TABLE upload (
    id          BLOB PRIMARY KEY,
    account     TEXT NOT NULL REFERENCES account (id),
    bytes       INTEGER NOT NULL CHECK (bytes > 0),
    expires_at  INTEGER NOT NULL -- from then on no new request may name it
) STRICT, WITHOUT ROWID;

CREATE INDEX upload_account ON upload (account, bytes);

-- The uploads that the input of a request names. The rows go with the upload; the request may go before.
CREATE TABLE upload_use (
    upload      BLOB NOT NULL REFERENCES upload (id),
    request     BLOB NOT NULL,
    PRIMARY KEY (upload, request)
) STRICT, WITHOUT ROWID;

-- What operators did, and how often tokens were refused. Nothing secret.
CREATE TABLE audit (
    number      INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL,
    act         TEXT NOT NULL,
    subject     TEXT NOT NULL,
    detail      TEXT NOT NULL
) STRICT;
