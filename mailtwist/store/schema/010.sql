-- The owner's Sieve scripts.  What is active lies as active.sieve beside this file too.
CREATE TABLE scripts (
    name TEXT PRIMARY KEY,
    octets BLOB NOT NULL,
    active INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE UNIQUE INDEX scripts_active ON scripts (active) WHERE active = 1;
