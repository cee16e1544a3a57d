-- Groups by name, for lists of rights (RFC 4314 §2).
ALTER TABLE accounts ADD COLUMN groups TEXT NOT NULL DEFAULT '[]'; -- JSON list
