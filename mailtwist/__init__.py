"""A whole mail server in Python on Twisted.

Protocols are pure, the portal is the only door, the Maildir is the truth, and
everything between speaks through `mailtwist.interfaces`.  docs/architecture.md is the
map of the rooms.
"""

__version__ = "0.1.0"
