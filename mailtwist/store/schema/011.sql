-- What each mailbox was counted with in the account's figure (RFC 9208), and limits of
-- single mailboxes that an administrator set; `path` as in `mailboxes`.
CREATE TABLE counted (
    mailbox INTEGER PRIMARY KEY REFERENCES mailboxes ON DELETE CASCADE,
    octets INTEGER NOT NULL,
    messages INTEGER NOT NULL
);

CREATE TABLE mailbox_limits (
    path TEXT PRIMARY KEY,
    octets INTEGER,
    messages INTEGER,
    mailboxes INTEGER
) WITHOUT ROWID;
