-- Who was asked to come back, and who did.  Seconds of the epoch.

CREATE TABLE meeting (
    key BLOB NOT NULL PRIMARY KEY,  -- hash of network, sender and recipient
    first_s INTEGER NOT NULL,
    passed_s INTEGER NOT NULL       -- when it last came and was let in, 0 if never
) WITHOUT ROWID;

CREATE TABLE network (
    network TEXT NOT NULL PRIMARY KEY,  -- 192.0.2.0/24, 2001:db8::/64
    passes INTEGER NOT NULL,            -- how many meetings it came back for
    last_s INTEGER NOT NULL
) WITHOUT ROWID;
