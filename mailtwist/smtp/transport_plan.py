"""What one host is told about one message: the wishes of its sender, as far as the host
knows the words for them, or why the message may not go there."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from ..address import Address
from ..delivery.model import DeliverBy
from ..errors import MailError, MessageTooBig
from ..queue.model import Job, QueuedRecipient
from .client_command import mail, notify_parameters, rcpt, xtext
from .client_engine import Transaction
from .client_offer import PeerOffer
from .convert_plan import Needs
from .transport_look import Look


@frozen
class Peer:
    """What is known of a host behind EHLO: `verified` if it proved its name over TLS
    and the name can be believed, `logged_in` if we proved ours.  `final` if it delivers
    into mailboxes (LMTP), so that what binds relays binds it not."""

    host: str
    offer: PeerOffer
    secure: bool = False
    verified: bool = False
    logged_in: bool = False
    final: bool = False


@frozen
class Plan:
    """`needs` is the form the content must be brought into first, `no_utf8_headers` if
    it must be looked at for such fields; `refused` the recipients that cannot be told
    to this host."""

    mail: bytes
    recipients: tuple[tuple[QueuedRecipient, bytes], ...]
    refused: tuple[tuple[QueuedRecipient, MailError], ...]
    chunking: bool
    needs: Needs
    no_utf8_headers: bool
    size: bool  # the host wants to know it
    prdr: bool  # the host can answer for each recipient
    action: str  # of a success, as in Outcome

    def transaction(self, start: int, count: int, octets: int) -> Transaction:
        """For `count` of the recipients from `start`; `octets` the content has now."""
        lines = tuple(line for _, line in self.recipients[start : start + count])
        mail, prdr = self.mail, self.prdr and count > 1
        if self.size:
            mail += b" SIZE=%d" % octets
        if prdr:
            mail += b" PRDR"
        return Transaction(mail, lines, self.chunking, prdr)


def check_size(octets: int, peer: Peer) -> None:
    """Raises MessageTooBig if the host says it takes no message so large (RFC 1870)."""
    most = peer.offer.size_octets
    if most and octets > most:
        raise MessageTooBig(
            f"The message has {octets} octets, {peer.host} takes {most}"
        )


def plan(
    job: Job,
    recipients: Sequence[QueuedRecipient],
    look: Look,
    peer: Peer,
    now_s: float,
) -> Plan:
    """Raises the fault that keeps the whole message from this host.

    `now_s` is seconds of the epoch."""
    offer, wishes = peer.offer, job.message.wishes
    check_size(look.content.octets, peer)  # before it is converted for nothing
    utf8 = wishes.smtputf8 and "SMTPUTF8" in offer
    refused: list[tuple[QueuedRecipient, MailError]] = []
    able = list(recipients)
    if not utf8:
        able, refused = _without_utf8(job, recipients, look, peer)
        utf8 = "SMTPUTF8" in offer and not _ascii(job.reverse_path, able)
    dsn = "DSN" in offer  # the host reports from now on (RFC 3461 §5.2.1)
    action = "passed" if dsn else "delivered" if peer.final else "relayed"
    parameters: list[bytes] = []
    body, needs, chunking = _body(look, wishes.body, offer)
    if body:
        parameters.append(b"BODY=" + body)
    if utf8:
        parameters.append(b"SMTPUTF8")
    if dsn:
        if wishes.ret:
            parameters.append(b"RET=" + wishes.ret.encode())
        if wishes.envid and wishes.envid.isascii() and wishes.envid.isprintable():
            parameters.append(b"ENVID=" + xtext(wishes.envid.encode()))
    if wishes.require_tls:
        parameters += _require_tls(job, peer)
    if wishes.deliver_by is not None:
        parameters += _deliver_by(wishes.deliver_by, peer, now_s)
    if wishes.priority and "MT-PRIORITY" in offer:
        parameters.append(b"MT-PRIORITY=%d" % wishes.priority)
    if wishes.auth is not None and peer.logged_in:  # RFC 4954 §5
        parameters.append(b"AUTH=" + (xtext(wishes.auth.encode()) or b"<>"))
    lines = [
        (
            recipient,
            rcpt(
                recipient.address,
                notify_parameters(recipient.notify, recipient.original, utf8=utf8)
                if dsn
                else (),
                utf8=utf8,
            ),
        )
        for recipient in able
    ]
    said = mail(job.reverse_path, parameters, utf8=utf8)
    no_utf8 = wishes.smtputf8 and not utf8
    return Plan(
        mail=said,
        recipients=tuple(lines),
        refused=tuple(refused),
        chunking=chunking,
        needs=needs,
        no_utf8_headers=no_utf8,
        size="SIZE" in offer,
        prdr="PRDR" in offer,
        action=action,
    )


def _ascii(sender: Address | None, recipients: Sequence[QueuedRecipient]) -> bool:
    return (sender is None or sender.ascii) and all(r.address.ascii for r in recipients)


def _without_utf8(
    job: Job, recipients: Sequence[QueuedRecipient], look: Look, peer: Peer
) -> tuple[list[QueuedRecipient], list[tuple[QueuedRecipient, MailError]]]:
    """Who can be reached without SMTPUTF8, if that is not offered (RFC 6531 §3.2).

    Mail that says SMTPUTF8 and needs it not goes as plain mail: its domains are said
    as A-labels."""
    if "SMTPUTF8" in peer.offer:
        return list(recipients), []
    if job.reverse_path is not None and not job.reverse_path.ascii:
        raise MailError(
            f"{peer.host} takes no UTF-8 addresses, and the sender has one",
            status="5.6.7",
        )
    if job.message.wishes.smtputf8 and look.utf8_header:
        raise MailError(
            f"{peer.host} takes no UTF-8 header fields, and the message has some",
            status="5.6.9",
        )
    able, refused = [], []
    for recipient in recipients:
        if recipient.address.ascii:
            able.append(recipient)
        else:
            fault = MailError(f"{peer.host} takes no UTF-8 addresses", status="5.6.7")
            refused.append((recipient, fault))
    return able, refused


def _body(look: Look, wish: str, offer: PeerOffer) -> tuple[bytes, Needs, bool]:
    """The BODY parameter, what must be done to the content, and whether by BDAT."""
    chunking = "CHUNKING" in offer
    eight = "8BITMIME" in offer
    if wish == "BINARYMIME":
        if chunking and "BINARYMIME" in offer:
            return b"BINARYMIME", Needs.NOTHING, True
        # What is binary becomes base64, what is text may stay if the host takes it.
        return (
            (b"8BITMIME" if eight else b""),
            (Needs.NO_BINARY if eight else Needs.SEVEN_BIT),
            chunking,
        )
    plain = look.whole is not None and look.whole.isascii()
    if eight:
        return (
            (b"" if plain and wish == "7BIT" else b"8BITMIME"),
            Needs.NOTHING,
            chunking,
        )
    return b"", (Needs.NOTHING if plain else Needs.SEVEN_BIT), chunking


def _require_tls(job: Job, peer: Peer) -> list[bytes]:
    """RFC 8689 §4.2.1; a message with the null path need not be kept back."""
    if "REQUIRETLS" in peer.offer and peer.secure and peer.verified:
        return [b"REQUIRETLS"]
    if job.reverse_path is None or peer.final:
        return []
    if not peer.verified:
        raise MailError(
            f"The sender requires TLS, and {peer.host} cannot prove its name",
            status="5.7.10",
        )
    raise MailError(
        f"The sender requires TLS all the way, and {peer.host} does not promise it",
        status="5.7.30",
    )


def _deliver_by(by: DeliverBy, peer: Peer, now_s: float) -> list[bytes]:
    """BY with the time that is left (RFC 2852)."""
    left_s = int(by.deadline_s - now_s)
    returns = by.mode == "R"
    if returns and left_s <= 0:
        raise MailError("The time to deliver is over", status="5.4.7")
    if "DELIVERBY" not in peer.offer:
        if returns and not peer.final:
            raise MailError(
                f"{peer.host} does not promise to deliver in time", status="5.3.3"
            )
        return []
    if returns and left_s < peer.offer.least_by_s:
        raise MailError(
            f"{peer.host} needs {peer.offer.least_by_s} s to deliver, "
            f"and {left_s} s are left",
            status="5.4.7",
        )
    left_s = max(-999_999_999, min(999_999_999, left_s))
    trace = b"T" if by.trace else b""
    return [b"BY=%d;%s%s" % (left_s, by.mode.encode(), trace)]
