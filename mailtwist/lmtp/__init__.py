"""LMTP (RFC 2033): SMTP that ends in mailboxes, with a reply for each recipient."""
