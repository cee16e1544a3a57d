-- What an account may, and where its files are if not where ours would be.
ALTER TABLE accounts ADD COLUMN uses TEXT;          -- JSON list; NULL is everything
ALTER TABLE accounts ADD COLUMN login_until_s REAL; -- Unix time; NULL is for ever
ALTER TABLE accounts ADD COLUMN message_limit INTEGER;
ALTER TABLE accounts ADD COLUMN mailbox TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN uid INTEGER;        -- NULL is the server's own user
ALTER TABLE accounts ADD COLUMN gid INTEGER;

-- Generated passwords, one for each program or device of a person.
CREATE TABLE app_passwords (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL REFERENCES accounts ON DELETE CASCADE,
    name TEXT NOT NULL,
    mark BLOB NOT NULL UNIQUE,          -- mailtwist.directory.app_passwords
    uses TEXT,                          -- JSON list; NULL is all that the account may
    made_at_ns INTEGER NOT NULL,
    used_at_ns INTEGER,
    UNIQUE (key, name)
);

-- What greetings and capabilities depend on is asked after each change of the file,
-- where nobody can wait for a look at all accounts.
CREATE INDEX kept_secrets ON accounts (enabled) WHERE secret IS NOT NULL;
CREATE INDEX foreign_hashes ON accounts (enabled)
    WHERE hash != '' AND substr(hash, 1, 10) != '$argon2id$';
