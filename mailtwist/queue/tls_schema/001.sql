-- What is remembered of TLS with other hosts.  Times are seconds of the epoch.

CREATE TABLE sts (              -- MTA-STS policies (RFC 8461)
    domain TEXT PRIMARY KEY,
    id TEXT NOT NULL,           -- of the TXT record under which it was fetched
    fetched_s REAL NOT NULL,
    policy TEXT NOT NULL        -- as it came
) WITHOUT ROWID;

CREATE TABLE result (           -- TLS results that are not reported yet (RFC 8460)
    day TEXT NOT NULL,          -- UTC, 2026-11-24
    domain TEXT NOT NULL,
    kind TEXT NOT NULL,         -- "sts", "tlsa" or "no-policy-found"
    policy TEXT NOT NULL,       -- its lines
    host TEXT NOT NULL,
    address TEXT NOT NULL,
    failure TEXT NOT NULL,      -- a result type; empty for success
    count INTEGER NOT NULL,
    PRIMARY KEY (day, domain, kind, policy, host, address, failure)
) WITHOUT ROWID;
