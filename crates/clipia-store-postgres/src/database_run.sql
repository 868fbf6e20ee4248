-- Version 3. This run of the database, for the nodes that have places in memory. The table is in no log: a crash empties it, as does a
-- failover to a copy. What was committed just before may be lost then, and whoever knows of it forgets.

CREATE UNLOGGED TABLE database_run (
    single      BOOLEAN PRIMARY KEY CHECK (single),
    id          UUID NOT NULL
);
