"""ManageSieve (RFC 5804): users keep their scripts from a mail program."""
