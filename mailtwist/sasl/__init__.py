"""SASL mechanisms (RFC 4422) as pure conversations, one per file.

SMTP, POP3, IMAP and ManageSieve carry the same mechanisms; only the framing differs.
"""
