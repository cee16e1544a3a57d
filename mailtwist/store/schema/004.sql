-- Identifiers that stay when a message is copied or moved (RFC 8474).

-- The EMAILID that came with a copy; '' for one made of this mailbox and UID.
ALTER TABLE messages ADD COLUMN email_id TEXT NOT NULL DEFAULT '';
-- 0 until somebody asks; never changed afterwards.
ALTER TABLE messages ADD COLUMN thread_id INTEGER NOT NULL DEFAULT 0;

-- The thread of each message identifier that was met, by a hash of it.
CREATE TABLE thread_ids (key INTEGER PRIMARY KEY, thread_id INTEGER NOT NULL);

-- Of what was saved before there was a note of it, this is the nearest.
UPDATE messages SET saved_at = internal_date WHERE saved_at = 0;
