"""What IMAP commands do, one file per family."""
