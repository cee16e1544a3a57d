-- The way that all recipients of a message take, whatever routes say: a filter.

ALTER TABLE message ADD COLUMN filter_transport TEXT;   -- NULL: none
ALTER TABLE message ADD COLUMN filter_next_hop TEXT NOT NULL DEFAULT '';
