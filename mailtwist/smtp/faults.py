"""Faults that only SMTP knows, with their reply codes (RFC 5321 §4.2.3)."""

from __future__ import annotations

from ..errors import MailError


class SMTPFault(MailError):
    """A fault with its reply code; with `closes` the connection ends behind it."""

    code = 554
    closes = False


# -- commands ---------------------------------------------------------------------


class BareLineFeed(SMTPFault):
    """A command that ends in LF alone (RFC 5321 §2.3.8).

    What such a peer holds for lines is not known, so nothing more of it is read.
    """

    code, closes = 500, True
    status, public = "5.5.2", "Lines end with CR LF here, not with LF alone"


class WrongProtocol(SMTPFault):
    """A web browser or a TLS client on a port that speaks SMTP in clear."""

    code, closes = 421, True
    status, public = "4.7.0", "This is a mail server, and it speaks SMTP"


class TalkedBehindStartTls(SMTPFault):
    """Octets behind STARTTLS in clear: somebody may have put them there."""

    code, closes = 421, True
    status, public = "4.7.0", "Nothing may follow STARTTLS before TLS is up"


class TalkedBeforeGreeting(SMTPFault):
    """RFC 5321 §4.3.1: a client waits for the greeting."""

    code, closes = 554, True
    status, public = "5.5.1", "Wait for the greeting before you talk"


class CommandNotImplemented(SMTPFault):
    code = 502
    status, public = "5.5.1", "Command not implemented"


class ParameterNotKnown(SMTPFault):
    """A parameter of MAIL or RCPT (RFC 5321 §4.1.1.11)."""

    code = 555
    status, public = "5.5.4", "Parameter not known"


class BadArgument(SMTPFault):
    """A command or parameter with a value that cannot be (RFC 5321 §4.3.2)."""

    code = 501
    status, public = "5.5.4", "Bad argument"


class BadChunk(SMTPFault):
    """BDAT without a number: what follows may be octets of a message, so nothing more
    is read."""

    code, closes = 501, True
    status, public = "5.5.4", "BDAT is the number of octets, then LAST if it is so"


class UrlNotFetched(SMTPFault):
    """RFC 4468 §6."""

    code = 554
    status, public = "5.6.6", "IMAP URL resolution failed"


class UrlRefused(SMTPFault):
    """A URL of another user, or for another (RFC 4468 §3.3)."""

    code = 554
    status, public = "5.7.0", "IMAP URL authorization failed"


class UrlNotTrusted(SMTPFault):
    """A URL of another server (RFC 4468 §6)."""

    code = 554
    status, public = "5.7.8", "URL resolution requires trust relationship"


class Utf8Needed(SMTPFault):
    """An address with UTF-8 in a transaction without SMTPUTF8 (RFC 6531 §3.5)."""

    code = 553
    status, public = "5.6.7", "Such an address needs SMTPUTF8"


class NoValidRecipients(SMTPFault):
    code = 554
    status, public = "5.5.1", "No valid recipients"


class TooManyDomains(SMTPFault):
    """RFC 9422."""

    code = 452
    status, public = "4.5.3", "Too many domains among the recipients"


class DeadlineTooSoon(SMTPFault):
    """RFC 2852."""

    code = 550
    status, public = "5.4.7", "Cannot promise a delivery in so short a time"


class HoldTooLong(SMTPFault):
    """RFC 4865."""

    code = 501
    status, public = "5.5.4", "Messages are not held that long"


class EtrnRefused(SMTPFault):
    """RFC 1985."""

    code = 459
    status, public = "4.7.1", "Mail for that domain is not kept here for you"


class TlsNeededForMechanism(SMTPFault):
    """RFC 4954 §6."""

    code = 538
    status, public = "5.7.11", "Use TLS first"


# -- message content --------------------------------------------------------------


class TextLineTooLong(SMTPFault):
    """RFC 5321 §4.5.3.1.6 and §4.5.3.1.9."""

    code = 500
    status, public = "5.6.0", "A line of the message is too long"


class MailLoop(SMTPFault):
    """RFC 5321 §6.3."""

    code = 554
    status, public = "5.4.6", "Too many Received fields, the mail is in a loop"


# -- the connection ---------------------------------------------------------------


class TooManyErrors(SMTPFault):
    code, closes = 421, True
    status, public = "4.7.0", "Too many errors"


class TooManyMessages(SMTPFault):
    code, closes = 421, True
    status, public = "4.7.0", "Too many messages in one connection, connect again"


class TimedOut(SMTPFault):
    """RFC 5321 §4.5.3.2.7."""

    code, closes = 421, True
    status, public = "4.4.2", "Waited too long for you"


class ShuttingDown(SMTPFault):
    code, closes = 421, True
    status, public = "4.3.2", "Server is shutting down, try again later"


class TooLate(SMTPFault):
    """A look-up or a delivery that did not answer in time."""

    code = 451
    status, public = "4.3.0", "Could not do that in time, try again later"
