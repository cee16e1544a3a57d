"""Why policy refuses, with the sentences a client is told."""

from __future__ import annotations

from ..errors import MailError
from ..smtp.faults import SMTPFault


class ClientUnknown(MailError):
    """No name in DNS that leads back to the address (RFC 7372 §3.3)."""

    status, public = "5.7.25", "Client host rejected: cannot find your hostname"


class HeloRefused(MailError):
    status, public = "5.7.1", "Helo command rejected"


class HeloInvalid(HeloRefused):
    status, public = "5.5.2", "Helo command rejected: invalid name"


class HeloNotFull(HeloRefused):
    status = "5.5.2"
    public = "Helo command rejected: need a fully-qualified hostname"


class HeloUnknown(HeloRefused):
    public = "Helo command rejected: host not found"


class SenderNotFull(MailError):
    status = "5.5.2"
    public = "Sender address rejected: need a fully-qualified address"


class SenderUnknown(MailError):
    """RFC 3463 §3.2, X.1.8."""

    status, public = "5.1.8", "Sender address rejected: domain not found"


class SenderTakesNoMail(MailError):
    """RFC 7505 §4.2."""

    status, public = "5.7.27", "Sender address rejected: its domain takes no mail"


class SenderNotListed(MailError):
    status, public = "5.1.0", "Sender address rejected: no such user here"


class SenderNotLoggedIn(MailError):
    status, public = "5.7.1", "Sender address rejected: log in to use it"


class RecipientNotFull(MailError):
    status = "5.5.2"
    public = "Recipient address rejected: need a fully-qualified address"


class RecipientUnknown(MailError):
    status, public = "5.1.2", "Recipient address rejected: domain not found"


class RecipientTakesNoMail(MailError):
    """RFC 7505 §4.1."""

    status, public = "5.1.10", "Recipient address rejected: its domain takes no mail"


class SpfFailed(MailError):
    """RFC 7372 §3.2.  `told` is what the domain explains."""

    status = "5.7.23"

    def __init__(self, domain: str, told: str = "") -> None:
        why = f": {told}" if told else ""
        super().__init__(f"{domain} does not let you send its mail (SPF){why}")


class DmarcFailed(MailError):
    status = "5.7.1"

    def __init__(self, domain: str) -> None:
        super().__init__(f"Refused as {domain} asks of mail it did not sign (DMARC)")


class DmarcUnknown(MailError):
    status = "4.7.1"

    def __init__(self, domain: str) -> None:
        super().__init__(f"Cannot look up now who signs for {domain} (DMARC)")


class Scored(MailError):
    """Too many points; `told` is the worst of them, `reason` what a list says."""

    status = "5.7.1"

    def __init__(self, told: str, reason: str = "") -> None:
        super().__init__(f"Refused: {told}" + (f"; {reason}" if reason else ""))


class Greylisted(SMTPFault):
    """RFC 6647 §5."""

    code, status = 450, "4.7.1"

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"Greylisted, try again in {wait_s} seconds")


class Refused(MailError):
    status, public = "5.7.1", "Access denied"


class Deferred(MailError):
    status, public = "4.7.1", "Access denied for now, try again later"


class Coded(SMTPFault):
    """What an access table says with a code of its own; 421 and 521 end the
    connection."""

    def __init__(self, code: int, status: str, public: str = "") -> None:
        kind = Deferred if code < 500 else Refused
        super().__init__(public or kind.public, status=status)
        self.code, self.closes = code, code in (421, 521)


class BadTable(MailError):
    """An access table says what is no action."""

    status, public = "4.3.5", "Server configuration error"


class TooFast(MailError):
    """Over a rate of `restrictions`."""

    status, public = "4.7.1", "Too much mail from you, try again later"


class TlsWanted(MailError):
    status, public = "5.7.10", "Use TLS first"


class Impatient(MailError):
    """Commands behind one whose answer must be awaited (RFC 2920 §3.1)."""

    status, public = "5.5.0", "Wait for the answer before you go on"
