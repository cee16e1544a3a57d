-- Members of a list with an owner, whose reports are not the sender's.

ALTER TABLE recipient ADD COLUMN of_list INTEGER NOT NULL DEFAULT 0;
