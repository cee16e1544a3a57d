"""The client's grammar (RFC 3501 §9): functions named after the ABNF's rules.

Each takes a `CommandScanner` and gives a value or raises: SyntaxFault for the form,
BadParameter for a well-formed thing that is unknown, BadMailboxName and BadCharset for
what they say.  Where real clients leave the RFC, a comment that starts with "Quirk"
names what is taken all the same.
"""
