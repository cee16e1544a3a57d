"""The Received field (RFC 5321 §4.4), folded."""

from __future__ import annotations

from attrs import frozen


@frozen
class Hop:
    """What is known of one SMTP transaction.

    `client` is the address in the form of an address literal without brackets ("" if it
    is not to be told); `with_protocol` a keyword of the IANA registry (RFC 3848).
    """

    helo: str
    client: str
    hostname: str
    with_protocol: str
    message_id: str
    date: str  # date-time of RFC 5322
    tls: str = ""
    login: str = ""
    recipient: str = ""  # told only if there is one, so that nobody else is named


def received(hop: Hop) -> bytes:
    """The field with its CRLF; what the client said cannot add a field of its own."""
    helo = "".join(
        c if c.isprintable() and c not in "()<>\\" else "?" for c in hop.helo
    )
    lines = [f"Received: from {helo or 'unknown'}"]
    if hop.client:
        lines[0] += f" ([{hop.client}])"
    if hop.tls:
        lines.append(f"(using {hop.tls})")
    if hop.login:
        lines.append(f"(authenticated as {hop.login})")
    lines.append(f"by {hop.hostname} (mailtwist) with {hop.with_protocol}")
    ending = f"id {hop.message_id}"
    if hop.recipient:
        ending += f" for <{hop.recipient}>"
    lines.append(ending + ";")
    lines.append(hop.date)
    return "\r\n\t".join(lines).encode() + b"\r\n"


def protocol(*, extended: bool, tls: bool, login: bool, utf8: bool) -> str:
    """The keyword behind "with" (RFC 3848, RFC 6531 §4.3)."""
    if not extended:
        return "SMTP"
    name = "UTF8SMTP" if utf8 else "ESMTP"
    return name + ("S" if tls else "") + ("A" if login else "")
