-- Who may have been given something by whom: more than there is, and never less.
CREATE TABLE shares (
    identifier TEXT NOT NULL,           -- an account's key, "$group", "anyone"
    owner TEXT NOT NULL,                -- name of the account
    noted INTEGER NOT NULL DEFAULT 1,   -- how often it was put here
    PRIMARY KEY (identifier, owner)
) WITHOUT ROWID;

-- Who may send from addresses of others.
CREATE TABLE send_as (
    identifier TEXT NOT NULL,
    address TEXT NOT NULL,              -- as auth.names compares it
    PRIMARY KEY (identifier, address)
) WITHOUT ROWID;
