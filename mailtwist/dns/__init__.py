"""Names: one resolver for MX, addresses, TXT and TLSA."""
