"""Internet messages (RFC 5322, MIME): read without losing an octet, never rewritten."""
