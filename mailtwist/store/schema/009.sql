-- The file of columns that was written last of a mailbox (store.maildir.columns); a file
-- with another token belongs to another time.
CREATE TABLE columns_tokens (
    mailbox INTEGER PRIMARY KEY REFERENCES mailboxes ON DELETE CASCADE,
    token TEXT NOT NULL
);
