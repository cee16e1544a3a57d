"""Mailboxes as the domain sees them: values, the account's tree, search.

Stores (`mailtwist.store`) implement what `interfaces` declares;
sessions of POP3, IMAP and the web use them.  Everything that crosses is a value of
`mailbox.model` that could be sent over a socket.
"""
