-- How often annotations changed, for those who watch them (RFC 5465 §5.6, §5.7).
CREATE TABLE metadata_changes (changes INTEGER NOT NULL);
INSERT INTO metadata_changes VALUES (0);
