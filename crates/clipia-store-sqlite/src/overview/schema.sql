-- The words of requests, so that they are found, and what queues did in each minute. Nothing here decides anything: the file may be
-- removed while no server runs. The words are then taken from the store anew.

CREATE TABLE text (
    number  INTEGER PRIMARY KEY, -- rises with the age of requests: what is read by it backwards is the newest first
    request BLOB NOT NULL UNIQUE,
    failed  INTEGER NOT NULL, -- it has the words of the error message
    words   TEXT NOT NULL -- with a space between two; they are needed to take them out of the index
) STRICT;

-- Neither the places of words nor how many there are of each is kept: a request has a word or not. Beginnings of so many letters are
-- words of their own. Those of all lengths would take half as much space again; `search.rs` says how others are found.
CREATE VIRTUAL TABLE word USING fts5 (
    words, content = 'text', content_rowid = 'number', tokenize = 'ascii', detail = 'none', columnsize = 0, prefix = '1 3 5'
);

-- A word that is taken out is not in the file any more. Otherwise it would stay until its part of the index is written anew.
INSERT INTO word (word, rank) VALUES ('secure-delete', 1);

CREATE TABLE queue_minute (
    minute      INTEGER NOT NULL, -- its beginning
    queue       TEXT NOT NULL,
    submitted   INTEGER NOT NULL,
    completed   INTEGER NOT NULL,
    failed      INTEGER NOT NULL,
    canceled    INTEGER NOT NULL,
    credits     INTEGER NOT NULL,
    run_micros  INTEGER NOT NULL,
    PRIMARY KEY (minute, queue)
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 1;
