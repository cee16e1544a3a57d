-- Addresses of which a copy of what others send from them is kept in Sent.
CREATE TABLE keeps_sent (
    address TEXT PRIMARY KEY            -- as auth.names compares it
) WITHOUT ROWID;
