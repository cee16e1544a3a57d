"""Accounts whose INBOX is an mbox file and whose other mailboxes are a Maildir.

So Debian has it for who gets mail in /var/mail and files it in ~/Maildir.  One state
has both; each mailbox is looked at and changed by the room of its kind.  Messages go
from one kind to the other as they go into another mailbox from a client.
"""
