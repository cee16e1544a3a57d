"""Commands that are read the same in every state (RFC 5321 §4.1.1, RFC 2033 §4.1)."""

from __future__ import annotations

import re
from collections.abc import Callable

from ..errors import UnknownCommand
from ..wire import Scanner
from . import grammar
from .command import Event, Expn, Help, Noop, Offer, Quit, Rset, Vrfy

_WORD = re.compile(rb"[ \t]*([^\x00-\x20\x7f]*)")


def _hello(verb: str) -> Callable[[Offer, Scanner], Event]:
    def parse(offer: Offer, s: Scanner) -> Event:
        if offer.lmtp:  # RFC 2033 §4.1
            raise UnknownCommand("This is LMTP: say LHLO")
        return grammar.hello(s, verb)

    return parse


def _lhlo(offer: Offer, s: Scanner) -> Event:
    if not offer.lmtp:
        raise UnknownCommand()
    return grammar.hello(s, "LHLO")


def _rset(offer: Offer, s: Scanner) -> Event:
    grammar.nothing(s)
    return Rset()


def _noop(offer: Offer, s: Scanner) -> Event:
    return Noop()


def _quit(offer: Offer, s: Scanner) -> Event:
    grammar.nothing(s)
    return Quit()


def _vrfy(offer: Offer, s: Scanner) -> Event:
    return Vrfy(grammar.string(s))


def _expn(offer: Offer, s: Scanner) -> Event:
    return Expn(grammar.string(s))


def _help(offer: Offer, s: Scanner) -> Event:
    return Help(s.match(_WORD, "command")[1].decode("utf-8", "replace").upper())


PARSERS: dict[bytes, Callable[[Offer, Scanner], Event]] = {
    b"HELO": _hello("HELO"),
    b"EHLO": _hello("EHLO"),
    b"LHLO": _lhlo,
    b"RSET": _rset,
    b"NOOP": _noop,
    b"QUIT": _quit,
    b"VRFY": _vrfy,
    b"EXPN": _expn,
    b"HELP": _help,
}
