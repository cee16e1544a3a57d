-- Annotations (RFC 5464): of the account, and of its mailboxes; names in lower case.

CREATE TABLE account_metadata (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE metadata (
    mailbox INTEGER NOT NULL REFERENCES mailboxes ON DELETE CASCADE,
    name TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (mailbox, name)
) WITHOUT ROWID;
