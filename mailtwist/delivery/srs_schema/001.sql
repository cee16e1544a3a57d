-- Senders that are too long to be rewritten into a local part, by what stands for them.

CREATE TABLE sender (
    token TEXT PRIMARY KEY,
    address TEXT NOT NULL,
    day INTEGER NOT NULL    -- when it was last used, in days of the epoch
) WITHOUT ROWID;

CREATE INDEX sender_day ON sender (day);
