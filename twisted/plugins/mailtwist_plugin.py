"""`twistd mailtwist`; imports nothing of ours, as every twistd start reads it."""

from twisted.application.service import ServiceMaker

mailtwist = ServiceMaker(
    "mailtwist",
    "mailtwist.tap",
    "A whole mail server: SMTP, submission, POP3 and IMAP.",
    "mailtwist",
)
