-- What was found of mail from domains that want to hear of it (RFC 9990), by UTC day,
-- until that is reported.

CREATE TABLE counted (
    day TEXT NOT NULL,          -- 2026-11-24
    domain TEXT NOT NULL,       -- whose policy it was
    published TEXT NOT NULL,    -- JSON of trust.aggregate.Published
    line TEXT NOT NULL,         -- JSON of trust.aggregate.Row
    count INTEGER NOT NULL,
    PRIMARY KEY (day, domain, published, line)
) WITHOUT ROWID;
