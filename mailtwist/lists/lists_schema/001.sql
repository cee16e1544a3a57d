-- Mailing lists.  Times are seconds of the epoch; `key` columns are addresses as they
-- are compared: lower case, domains as A-labels.

CREATE TABLE list (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    domain TEXT NOT NULL,               -- U-labels
    options TEXT NOT NULL,              -- JSON of what differs from the defaults
    secret BLOB NOT NULL,               -- signs links
    configured INTEGER NOT NULL DEFAULT 0,
    made_s REAL NOT NULL,
    entries INTEGER NOT NULL DEFAULT 0, -- in the archive, ever
    issues INTEGER NOT NULL DEFAULT 0,  -- digests that went out
    rights_due INTEGER NOT NULL DEFAULT 1,
    UNIQUE (domain, name)
);

CREATE TABLE member (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    list INTEGER NOT NULL REFERENCES list ON DELETE CASCADE,
    key TEXT NOT NULL,
    address TEXT NOT NULL,
    name TEXT NOT NULL,
    mode TEXT NOT NULL,
    vacation INTEGER NOT NULL DEFAULT 0,
    copies INTEGER NOT NULL DEFAULT 1,
    moderated INTEGER NOT NULL DEFAULT 0,
    accepted INTEGER NOT NULL DEFAULT 0,
    score REAL NOT NULL DEFAULT 0,
    scored_s REAL NOT NULL DEFAULT 0,
    scored_kind TEXT NOT NULL DEFAULT '',
    stopped INTEGER NOT NULL DEFAULT 0,
    joined_s REAL NOT NULL,
    UNIQUE (list, key)
);
CREATE INDEX member_key ON member (key);

CREATE TABLE role (
    list INTEGER NOT NULL REFERENCES list ON DELETE CASCADE,
    role TEXT NOT NULL,
    key TEXT NOT NULL,
    address TEXT NOT NULL,
    PRIMARY KEY (list, role, key)
) WITHOUT ROWID;
CREATE INDEX role_key ON role (key);

-- Confirmations, held posts, probes: what waits for an answer with its token.
CREATE TABLE pending (
    token TEXT PRIMARY KEY,
    list INTEGER NOT NULL REFERENCES list ON DELETE CASCADE,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    address TEXT NOT NULL,
    mode TEXT NOT NULL,
    name TEXT NOT NULL,
    subject TEXT NOT NULL,
    reason TEXT NOT NULL,
    made_s REAL NOT NULL,
    expires_s REAL NOT NULL,
    octets BLOB NOT NULL
);
CREATE INDEX pending_place ON pending (list, key, kind);
CREATE INDEX pending_end ON pending (expires_s);

CREATE TABLE seen (
    list INTEGER NOT NULL REFERENCES list ON DELETE CASCADE,
    message_id TEXT NOT NULL,
    until_s REAL NOT NULL,
    PRIMARY KEY (list, message_id)
) WITHOUT ROWID;
CREATE INDEX seen_end ON seen (until_s);

CREATE TABLE bounce (
    number INTEGER PRIMARY KEY,
    list INTEGER NOT NULL REFERENCES list ON DELETE CASCADE,
    key TEXT NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    diagnostic TEXT NOT NULL,
    at_s REAL NOT NULL
);
CREATE INDEX bounce_end ON bounce (at_s);
CREATE INDEX bounce_of ON bounce (list, key);

-- Posts for the next digest.
CREATE TABLE digest (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    list INTEGER NOT NULL REFERENCES list ON DELETE CASCADE,
    octets BLOB NOT NULL,
    at_s REAL NOT NULL
);
CREATE INDEX digest_of ON digest (list, number);

-- The index of the archives; the messages are in a public folder.
CREATE TABLE entry (
    id INTEGER PRIMARY KEY,             -- that of its row in entry_text
    list INTEGER NOT NULL REFERENCES list ON DELETE CASCADE,
    number INTEGER NOT NULL,
    at_s REAL NOT NULL,
    month TEXT NOT NULL,                -- "2026-11", UTC
    message_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    author TEXT NOT NULL,
    refers TEXT NOT NULL,               -- Message-IDs, a space between two
    UNIQUE (list, number)
);
CREATE INDEX entry_month ON entry (list, month, number);
CREATE INDEX entry_id ON entry (list, message_id);
CREATE VIRTUAL TABLE entry_text USING fts5 (
    subject, author, text, tokenize = "unicode61 remove_diacritics 2"
);

-- What was done of the queue, so that it is done once.
CREATE TABLE work (
    work TEXT PRIMARY KEY,
    until_s REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX work_end ON work (until_s);

-- Mails that are decided and not in the queue yet.
CREATE TABLE outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    queue_id TEXT NOT NULL UNIQUE,
    list INTEGER NOT NULL,
    sender TEXT NOT NULL,               -- empty: the null path
    recipients TEXT NOT NULL,           -- JSON: [address, sender or null, fields]
    wishes TEXT NOT NULL,
    signing TEXT NOT NULL,              -- whose signature it gets
    octets BLOB NOT NULL,
    at_s REAL NOT NULL
);
