"""Mailboxes that are mbox files: read and written in place, beside other programs.

The file is the truth for messages and flags; any program that locks it may append or
change flags.  `lock` takes the locks of Debian policy §11.6, `journal` makes each
rewrite whole or nothing, `scan` finds what others did, `rewrite` does what clients ask
for.  What an mbox cannot tell (MODSEQ, object ids) is in the account's state, as for a
Maildir, and the machinery of `store.maildir` that does not touch message files serves
here too.
"""
