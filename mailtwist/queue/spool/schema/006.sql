-- What stands above the octets and was known only behind them: signatures.  Octets that
-- lie in content have it in them already.

ALTER TABLE message ADD COLUMN head BLOB NOT NULL DEFAULT x'';
