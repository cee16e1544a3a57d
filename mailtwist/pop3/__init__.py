"""POP3 (RFC 1939): grammar, response, capability, engine, session, server.

The engine hands out one command and then nothing until that was answered, so pipelined
commands (RFC 2449 §6.6) are answered in order.  The session works on the columns of one
look at the maildrop; messages are read in chunks while they are sent.  Nothing is
deleted before QUIT.
"""
