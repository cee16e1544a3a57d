"""SMTP (RFC 5321): grammar, engine, server."""
