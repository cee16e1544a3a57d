"""Our accounts as the avatars of `twisted.mail.interfaces`.

Twisted's own POP3, IMAP4Server and ESMTP, and programs written for those interfaces,
run on our portal with them.  The protocols ask much at once that stores answer later:
each avatar therefore works on what was loaded when it was made or selected.
"""

from __future__ import annotations

from .compat_imap import CompatAccount
from .compat_pop3 import CompatMaildrop, pop3_mailbox
from .compat_smtp import CompatDelivery, message_delivery

__all__ = [
    "CompatAccount",
    "CompatDelivery",
    "CompatMaildrop",
    "imap_account",
    "message_delivery",
    "pop3_mailbox",
]

imap_account = CompatAccount
