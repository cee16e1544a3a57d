"""The service extensions, as one table: EHLO is printed from it (RFC 5321 §4.1.1.1)."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from .command import COMMANDS, Offer


@frozen
class Extension:
    """`told` gives the EHLO line in a state, None where it is not offered."""

    keyword: str
    rfc: str
    told: Callable[[Offer], str | None]


def _always(keyword: str) -> Callable[[Offer], str | None]:
    return lambda offer: keyword


EXTENSIONS = (
    Extension("PIPELINING", "RFC 2920", _always("PIPELINING")),
    Extension("SIZE", "RFC 1870", lambda offer: f"SIZE {offer.size_octets}"),
    Extension(
        "STARTTLS", "RFC 3207", lambda offer: "STARTTLS" if offer.starttls else None
    ),
    Extension(
        "AUTH",
        "RFC 4954",
        lambda offer: (
            f"AUTH {' '.join(offer.mechanisms)}" if offer.mechanisms else None
        ),
    ),
    Extension("ENHANCEDSTATUSCODES", "RFC 2034", _always("ENHANCEDSTATUSCODES")),
    Extension("8BITMIME", "RFC 6152", _always("8BITMIME")),
    Extension("SMTPUTF8", "RFC 6531", _always("SMTPUTF8")),
    Extension("VRFY", "RFC 5321 §3.5.2", _always("VRFY")),
    Extension("HELP", "RFC 5321 §4.1.1.8", _always("HELP")),
)


def ehlo_lines(hostname: str, client: str, offer: Offer) -> tuple[str, ...]:
    """The lines of the answer to EHLO."""
    told = (extension.told(offer) for extension in EXTENSIONS)
    return (f"{hostname} greets {client}", *(line for line in told if line))


def help_lines(topic: str, offer: Offer) -> tuple[str, ...] | None:
    """The lines of the answer to HELP; None for a topic that is no command here."""
    commands = [known for known in COMMANDS if known.offered(offer)]
    if not topic:
        return (
            "Commands: " + " ".join(known.verb for known in commands),
            "HELP and a command tells its syntax",
        )
    for known in commands:
        if known.verb == topic:
            return (known.syntax, known.rfc.replace("§", "section "))
    return None
