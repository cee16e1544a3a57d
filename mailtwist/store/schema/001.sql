-- State that cannot be derived from the Maildir, one file for each account.

CREATE TABLE mailboxes (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,            -- JSON list of components
    object_id TEXT NOT NULL UNIQUE,
    uid_validity INTEGER NOT NULL,
    uid_next INTEGER NOT NULL DEFAULT 1,
    highest_modseq INTEGER NOT NULL DEFAULT 1,
    recent_from INTEGER NOT NULL DEFAULT 1,
    special_uses TEXT NOT NULL DEFAULT '' -- separated by spaces
);

-- `base` is the file name before the info part, `letters` the info part as last seen.
CREATE TABLE messages (
    mailbox INTEGER NOT NULL REFERENCES mailboxes ON DELETE CASCADE,
    uid INTEGER NOT NULL,
    base TEXT NOT NULL,
    letters TEXT NOT NULL,
    keywords TEXT NOT NULL DEFAULT '',    -- those that have no letter, by spaces
    modseq INTEGER NOT NULL,
    octets INTEGER NOT NULL,              -- with CRLF line ends
    file_octets INTEGER NOT NULL,
    internal_date INTEGER NOT NULL,
    PRIMARY KEY (mailbox, uid)
) WITHOUT ROWID;

CREATE TABLE vanished (
    mailbox INTEGER NOT NULL REFERENCES mailboxes ON DELETE CASCADE,
    modseq INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    PRIMARY KEY (mailbox, modseq, uid)
) WITHOUT ROWID;

-- Names of the keywords behind the letters a to z of a mailbox.
CREATE TABLE keywords (
    mailbox INTEGER NOT NULL REFERENCES mailboxes ON DELETE CASCADE,
    letter TEXT NOT NULL,
    keyword TEXT NOT NULL,
    PRIMARY KEY (mailbox, letter)
) WITHOUT ROWID;

CREATE TABLE subscriptions (path TEXT PRIMARY KEY) WITHOUT ROWID;

-- The largest UIDVALIDITY ever given, so that no two mailboxes share one.
CREATE TABLE validity (last INTEGER NOT NULL);
INSERT INTO validity VALUES (0);
