-- What scripts remember: answers that went out, messages that came before.  It changes
-- in the transaction that queues what a script sends.
CREATE TABLE remembered (
    account TEXT NOT NULL,
    key BLOB NOT NULL,
    until_s REAL NOT NULL,
    PRIMARY KEY (account, key)
) WITHOUT ROWID;
CREATE INDEX remembered_until ON remembered (until_s);
