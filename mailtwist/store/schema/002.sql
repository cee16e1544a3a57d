-- The info part of a name is kept as it stands, for files that others named.

ALTER TABLE messages RENAME COLUMN letters TO info;
UPDATE messages SET info = ':2,' || info;
ALTER TABLE messages ADD COLUMN saved_at INTEGER NOT NULL DEFAULT 0;

-- Files that were moved elsewhere: they have no row any more and are to be unlinked.
CREATE TABLE removed (
    mailbox INTEGER NOT NULL REFERENCES mailboxes ON DELETE CASCADE,
    base TEXT NOT NULL,
    PRIMARY KEY (mailbox, base)
) WITHOUT ROWID;

-- Folders that were renamed in the state and may not be so on disk yet.
CREATE TABLE renames (id INTEGER PRIMARY KEY, old TEXT NOT NULL, new TEXT NOT NULL);
