"""Mailing lists: who is on them, what is sent to them, and what comes back.

    model       lists, members and what is pending, as values
    addressing  dev-request, dev-bounces+ann=a.test: what an address of a list means
    incoming    a message as a list sees it
    posting     whether a post goes out, waits or is refused
    commands    the text of a mail with commands
    bounce      what a report says of whom
    scoring     what bounces do to a member
    outgoing    a post as members get it; footer, digest, notes
    desk        one message to a list's address: facts, a decision, one transaction

Everything up to there is pure.  The database (`store`) takes each decision as one
transaction: changes, and the mails to send in its outbox.  The outbox goes into the
queue in a transaction that remembers its name, so that a crash anywhere neither loses
nor doubles a post.
"""
