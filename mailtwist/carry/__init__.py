"""Mail on its way in and out: accounts, Maildirs, mboxes, `.eml` folders, IMAP servers.

Each of them is an *end* (`model.IEnd`), and any end can be brought up to date with any
other (`run`): folders, messages, flags, dates and subscriptions.  A journal keeps which
message here is which one there, so that only what is new is carried, and work that was
killed goes on where it was.  Octets have CRLF line ends on the way.
"""
