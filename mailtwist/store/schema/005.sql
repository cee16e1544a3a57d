-- Keys that authorize URLs of messages (RFC 4467 §2.2); a new one revokes them all.
CREATE TABLE access_keys (
    mailbox INTEGER PRIMARY KEY REFERENCES mailboxes ON DELETE CASCADE,
    key BLOB NOT NULL
);
