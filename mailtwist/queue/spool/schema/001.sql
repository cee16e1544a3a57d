-- The queue of mail that waits.  Times are seconds of the epoch.

CREATE TABLE message (
    number INTEGER PRIMARY KEY,
    queue_id TEXT NOT NULL UNIQUE,
    sender_local TEXT,              -- NULL: the null reverse-path
    sender_domain TEXT,
    octets INTEGER NOT NULL,
    file TEXT NOT NULL,             -- in files/; empty: the octets are in content
    arrived_s REAL NOT NULL,
    expires_s REAL NOT NULL,
    wishes TEXT NOT NULL,           -- JSON of what is not default; empty for none
    login TEXT NOT NULL,
    held INTEGER NOT NULL,
    source TEXT NOT NULL,           -- who shares one turn: a login or a domain
    place TEXT NOT NULL,            -- where it all goes; empty if to several places
    due_s REAL NOT NULL             -- the earliest of its recipients
);

-- All that is asked to choose what is loaded next.
CREATE INDEX message_due ON message (held, due_s, source, place, queue_id);

CREATE TABLE content (
    message INTEGER PRIMARY KEY REFERENCES message ON DELETE CASCADE,
    octets BLOB NOT NULL
);

CREATE TABLE recipient (
    message INTEGER NOT NULL REFERENCES message ON DELETE CASCADE,
    number INTEGER NOT NULL,
    local_part TEXT NOT NULL,
    domain TEXT NOT NULL,
    original_local TEXT NOT NULL,
    original_domain TEXT NOT NULL,
    transport TEXT NOT NULL,
    next_hop TEXT NOT NULL,
    notify TEXT,                    -- words; NULL: nothing was said
    orcpt TEXT NOT NULL,
    sender TEXT,                    -- NULL: the message's reverse-path
    run_as TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    due_s REAL NOT NULL,
    last_s REAL NOT NULL,
    status TEXT NOT NULL,
    reply TEXT NOT NULL,
    host TEXT NOT NULL,
    delay_told INTEGER NOT NULL,
    PRIMARY KEY (message, number)
) WITHOUT ROWID;
