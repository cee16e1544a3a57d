"""POP3 (RFC 1939): grammar, engine, server."""
