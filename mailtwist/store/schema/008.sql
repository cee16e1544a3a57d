-- Who may do what with a mailbox (RFC 4314): one without rows has the default list.
CREATE TABLE rights (
    mailbox INTEGER NOT NULL REFERENCES mailboxes ON DELETE CASCADE,
    identifier TEXT NOT NULL,             -- '' is the account itself, whatever its name
    rights TEXT NOT NULL,                 -- letters
    PRIMARY KEY (mailbox, identifier)
) WITHOUT ROWID;
