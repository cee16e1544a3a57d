-- What each reader other than the owner has \Seen of a shared mailbox.
CREATE TABLE seen (
    mailbox INTEGER NOT NULL REFERENCES mailboxes ON DELETE CASCADE,
    reader TEXT NOT NULL,
    uids TEXT NOT NULL,                   -- a sequence-set
    PRIMARY KEY (mailbox, reader)
) WITHOUT ROWID;
