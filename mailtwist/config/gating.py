"""`[gate]`: what is asked about strangers before their mail is taken."""

from __future__ import annotations

import re

from attrs import frozen

from .checks import Check, between, in_
from .option import DAY_S, MINUTE_S, option

Octets = tuple[frozenset[int], ...]  # of an IPv4 address, those that match

MOST_POINTS = 1000
_DOMAIN = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.(?!-)[a-z0-9_-]{1,63})+")
_LIST = re.compile(r"([^=*\s]+)(?:=([0-9.;\[\]]+))?(?:\*([+-]?[0-9]{1,4}))?")
_OCTET = re.compile(r"([0-9]{1,3})|\[([0-9.;]+)\]")
_RANGE = re.compile(r"([0-9]{1,3})(?:\.\.([0-9]{1,3}))?")


@frozen
class DnsList:
    """A list in DNS (RFC 5782): its zone, the answers that count, and for how much.

    `answers` None is any address of 127.0.0.0/8 but 127.0.0.1, with which some lists
    say that they do not answer us."""

    zone: str
    answers: Octets | None = None
    points: int = 1

    def counts(self, answer: str) -> bool:
        """True if an IPv4 address is one of the answers."""
        octets = [int(octet) for octet in answer.split(".")]
        if self.answers is None:
            return octets[0] == 127 and octets != [127, 0, 0, 1]
        return all(
            octet in some for octet, some in zip(octets, self.answers, strict=True)
        )


def dns_list(text: str) -> DnsList:
    """As postscreen_dnsbl_sites has them: `ZONE`, `ZONE=127.0.0.[2..11;20]*3`.

    Raises ValueError."""
    found = _LIST.fullmatch(text.strip())
    if found is None:
        raise ValueError(text)
    zone = found[1].lower().removesuffix(".")
    points = int(found[3] or 1)
    if not _DOMAIN.fullmatch(zone) or len(zone) > 180 or abs(points) > MOST_POINTS:
        raise ValueError(text)
    return DnsList(zone, _octets(found[2]) if found[2] else None, points)


def _octets(text: str) -> Octets:
    made, at = [], 0
    while True:
        found = _OCTET.match(text, at)
        if found is None:
            raise ValueError(text)
        made.append(_numbers(found[1] or found[2]))
        at = found.end()
        if at == len(text):
            break
        if text[at] != ".":
            raise ValueError(text)
        at += 1
    if len(made) != 4:
        raise ValueError(text)
    return tuple(made)


def _numbers(text: str) -> frozenset[int]:
    made: set[int] = set()
    for part in text.split(";"):
        found = _RANGE.fullmatch(part)
        if found is None:
            raise ValueError(text)
        first, last = int(found[1]), int(found[2] or found[1])
        if not first <= last <= 255:
            raise ValueError(text)
        made.update(range(first, last + 1))
    return frozenset(made)


def _are_lists(texts: tuple[str, ...]) -> bool:
    try:
        return all(dns_list(text) for text in texts)
    except ValueError:
        return False


LISTS = Check(
    "zones like `zen.spamhaus.org`, `zen.spamhaus.org=127.0.0.[2..11]*3` or "
    f"`list.dnswl.org*-2`, with {MOST_POINTS} points at most",
    _are_lists,
)
POINTS = between(0, MOST_POINTS)


@frozen(kw_only=True)
class Gate:
    """What is asked about strangers before their mail is taken; see docs/gate.md.

    Logins and `trusted_networks` are not asked about."""

    client_lists: tuple[str, ...] = option(
        (),
        "Lists in DNS that are asked about the client's address, as "
        "`ZONE=127.0.0.[2..11]*3`: which answers count and for how many points, any "
        "answer and 1 if not said. Fewer than 0 points are for lists of good hosts. "
        "Postfix's postscreen_dnsbl_sites.",
        LISTS,
        texts=True,
    )
    helo_lists: tuple[str, ...] = option(
        (), "The same for the domain that HELO says.", LISTS, texts=True
    )
    sender_lists: tuple[str, ...] = option(
        (), "The same for the sender's domain.", LISTS, texts=True
    )
    impatient_points: int = option(
        0,
        "Points of a client that talked when it had to wait, as before the greeting "
        "(`smtp.greeting_pause_s`).",
        POINTS,
    )
    helo_points: int = option(
        0,
        "Points of a HELO that says our name, one of our domains, an address that is "
        "not the client's, or no full name.",
        POINTS,
    )
    nameless_points: int = option(
        0,
        "Points of a client whose address has no name in DNS that leads back to it.",
        POINTS,
    )
    refuse_at: int = option(
        1,
        "Points at which mail is refused, 550 5.7.1 at RCPT.",
        between(1, MOST_POINTS),
    )
    trust_at: int = option(
        -1,
        "Points at or below which a client passes what else `[gate]` asks.",
        between(-MOST_POINTS, -1),
    )
    wait_s: float = option(
        5.0,
        "How long lists may take from the connection on; what did not answer then "
        "counts for nothing.",
        between(0.1, 60),
    )

    greylist: bool = option(
        False,
        "Ask clients to come back that did not send from this network, for this sender "
        "to this recipient, before: 450 4.7.1 (RFC 6647). It comes last, if nothing "
        "else refuses.",
    )
    greylist_delay_s: float = option(
        5 * MINUTE_S, "How long they must stay away at least.", between(1, DAY_S)
    )
    greylist_retry_s: float = option(
        2 * DAY_S, "How long they may stay away.", between(MINUTE_S, 30 * DAY_S)
    )
    greylist_keep_s: float = option(
        36 * DAY_S,
        "How long it is remembered who came back, from the last mail on.",
        between(MINUTE_S, 400 * DAY_S),
    )
    greylist_sender: str = option(
        "domain",
        "What counts of the sender: its `domain`, or the `address`.",
        in_(("domain", "address")),
    )
    greylist_networks_after: int = option(
        5,
        "So many times a network (an IPv4 /24 or IPv6 /64) must have come back to be "
        "let in with everything; 0 for never.",
        between(0, 1000),
    )
    greylist_spf: bool = option(
        True, "Let those in whom the sender's SPF record lets send."
    )
    greylist_rows: int = option(
        200_000,
        "How much is remembered at most, some 60 octets on disk each; what never came "
        "back is forgotten first.",
        between(1000, 10_000_000),
    )

    @property
    def scores(self) -> bool:
        """True if anything gives points."""
        return bool(
            self.client_lists
            or self.helo_lists
            or self.sender_lists
            or self.impatient_points
            or self.helo_points
            or self.nameless_points
        )
