-- Accounts.  `key` is the name as it is compared (mailtwist.auth.names).
CREATE TABLE accounts (
    key TEXT PRIMARY KEY,
    name TEXT NOT NULL,                 -- login and main address
    home TEXT NOT NULL,                 -- folder, relative to the data folder
    hash TEXT NOT NULL,                 -- argon2id, PHC string
    secret BLOB,                        -- sealed password, only if it is to be kept
    storage_limit INTEGER,              -- octets; NULL is no limit
    enabled INTEGER NOT NULL DEFAULT 1,
    send_as TEXT NOT NULL DEFAULT '[]', -- JSON list of addresses
    made_at_ns INTEGER NOT NULL         -- since the epoch
) WITHOUT ROWID;

-- Keys of SCRAM (RFC 5802), one row for each mechanism.
CREATE TABLE scram (
    key TEXT NOT NULL REFERENCES accounts ON DELETE CASCADE,
    mechanism TEXT NOT NULL,
    salt BLOB NOT NULL,
    iterations INTEGER NOT NULL,
    stored_key BLOB NOT NULL,
    server_key BLOB NOT NULL,
    PRIMARY KEY (key, mechanism)
) WITHOUT ROWID;
