"""Sieve (RFC 5228): scripts that say what becomes of a message.

`parser` reads the octets of a script, `check` holds them against the table of
`extensions` and gives the compiled form, `run` carries that out for one message.  All
of it is pure: the interpreter is a generator that asks questions (does that mailbox
exist, was this seen before) and ends with a list of actions.  What a script may cost is
limited at every step, so that a bad one harms its owner's mail least of all: the
message is kept, and the owner is told.
"""
