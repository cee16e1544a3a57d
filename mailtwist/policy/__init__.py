"""Policy: checks of a client, its sender, each recipient and the message.

Each phase of a conversation has an ordered list of checks (`pipeline`), awaited once.
A check lets go on, allows (the rest of its list is left out) or raises the MailError
that the client is told.  What a look-up cannot tell now is a temporary fault.
"""
