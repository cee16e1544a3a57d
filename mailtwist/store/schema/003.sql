-- From which MODSEQ on `vanished` is complete: not before a state that was rebuilt.

ALTER TABLE mailboxes ADD COLUMN vanished_from INTEGER NOT NULL DEFAULT 0;
