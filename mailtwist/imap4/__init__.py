"""IMAP4rev1 (RFC 3501) and its extensions.

`grammar/` and `response` are text, `engine` and `selected` are state without I/O,
`cmd/` answers one family of commands each, `server` moves octets.
"""
