"""The service extensions and the commands, as tables.

EHLO (RFC 5321 §4.1.1.1) and HELP are printed from them, MAIL and RCPT know their
parameters by them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

from attrs import frozen

from .command import Offer
from .proxied import XCLIENT, XFORWARD


@frozen
class Extension:
    """`told` gives the EHLO line in a state, None where it is not offered.

    `mail` and `rcpt` are the parameters it brings, as HELP writes them.
    """

    keyword: str
    rfc: str
    told: Callable[[Offer], str | None]
    mail: tuple[str, ...] = ()
    rcpt: tuple[str, ...] = ()

    def line(self, offer: Offer) -> str | None:
        """The line of EHLO; None if it is not offered."""
        return None if self.keyword in offer.withheld else self.told(offer)


def _always(keyword: str) -> Callable[[Offer], str | None]:
    return lambda offer: keyword


def _if(keyword: str, holds: Callable[[Offer], bool]) -> Callable[[Offer], str | None]:
    return lambda offer: keyword if holds(offer) else None


def _with(
    keyword: str, arguments: Callable[[Offer], str]
) -> Callable[[Offer], str | None]:
    """Offered if there are arguments."""

    def told(offer: Offer) -> str | None:
        found = arguments(offer)
        return f"{keyword} {found}" if found else None

    return told


def _binary(offer: Offer) -> bool:
    """RFC 3030 §3: only with CHUNKING."""
    return "CHUNKING" not in offer.withheld


def _burl(offer: Offer) -> str | None:
    """RFC 4468 §4: only with 8BITMIME."""
    if offer.burl is None or "8BITMIME" in offer.withheld:
        return None
    return f"BURL {offer.burl}".rstrip()


EXTENSIONS = (
    Extension("PIPELINING", "RFC 2920", _always("PIPELINING")),
    Extension(
        "SIZE",
        "RFC 1870",
        _with("SIZE", lambda o: str(o.size_octets)),
        ("SIZE=octets",),
    ),
    Extension("STARTTLS", "RFC 3207", _if("STARTTLS", lambda o: o.starttls)),
    Extension(
        "AUTH", "RFC 4954", _with("AUTH", lambda o: " ".join(o.mechanisms)), ("AUTH=x",)
    ),
    Extension("ENHANCEDSTATUSCODES", "RFC 2034", _always("ENHANCEDSTATUSCODES")),
    Extension(
        "8BITMIME",
        "RFC 6152",
        _always("8BITMIME"),
        ("BODY=7BIT|8BITMIME|BINARYMIME",),
    ),
    Extension("SMTPUTF8", "RFC 6531", _always("SMTPUTF8"), ("SMTPUTF8",)),
    Extension("CHUNKING", "RFC 3030", _always("CHUNKING")),
    Extension("BINARYMIME", "RFC 3030", _if("BINARYMIME", _binary)),
    Extension(
        "BURL",
        "RFC 4468",
        _burl,
    ),
    Extension(
        "DSN",
        "RFC 3461",
        _always("DSN"),
        ("RET=FULL|HDRS", "ENVID=xtext"),
        ("NOTIFY=NEVER|SUCCESS,FAILURE,DELAY", "ORCPT=rfc822;xtext"),
    ),
    Extension(
        "REQUIRETLS", "RFC 8689", _if("REQUIRETLS", lambda o: o.tls), ("REQUIRETLS",)
    ),
    Extension(
        "DELIVERBY",
        "RFC 2852",
        lambda o: f"DELIVERBY {o.deliver_by_s}" if o.deliver_by_s else "DELIVERBY",
        ("BY=seconds;N|R[T]",),
    ),
    Extension(
        "FUTURERELEASE",
        "RFC 4865",
        _with("FUTURERELEASE", lambda o: o.hold),
        ("HOLDFOR=seconds", "HOLDUNTIL=date-time"),
    ),
    Extension(
        "MT-PRIORITY", "RFC 6710", _always("MT-PRIORITY"), ("MT-PRIORITY=number",)
    ),
    Extension("LIMITS", "RFC 9422", _with("LIMITS", lambda o: o.limits)),
    Extension("PRDR", "draft-hall-prdr", _if("PRDR", lambda o: not o.lmtp), ("PRDR",)),
    Extension("ETRN", "RFC 1985", _if("ETRN", lambda o: o.etrn)),
    Extension("XCLIENT", "", _if(f"XCLIENT {' '.join(XCLIENT)}", lambda o: o.proxy)),
    Extension("XFORWARD", "", _if(f"XFORWARD {' '.join(XFORWARD)}", lambda o: o.proxy)),
    Extension("VRFY", "RFC 5321 §3.5.2", _always("VRFY")),
    Extension("HELP", "RFC 5321 §4.1.1.8", _always("HELP")),
)
BY_KEYWORD = {extension.keyword: extension for extension in EXTENSIONS}


@frozen
class Known:
    """A command as HELP tells it; known if the extension it needs is offered.

    `lmtp` None is a command of both protocols, otherwise of one alone."""

    verb: str
    syntax: str
    rfc: str
    extension: str = ""
    lmtp: bool | None = None


COMMANDS = (
    Known("HELO", "HELO domain", "RFC 5321 §4.1.1.1", lmtp=False),
    Known("EHLO", "EHLO domain", "RFC 5321 §4.1.1.1", lmtp=False),
    Known("LHLO", "LHLO domain", "RFC 2033 §4.1", lmtp=True),
    Known("MAIL", "MAIL FROM:<address>", "RFC 5321 §4.1.1.2"),
    Known("RCPT", "RCPT TO:<address>", "RFC 5321 §4.1.1.3"),
    Known("DATA", "DATA, ended by a line with a dot alone", "RFC 5321 §4.1.1.4"),
    Known("BDAT", "BDAT octets [LAST], then the octets", "RFC 3030 §2", "CHUNKING"),
    Known("BURL", "BURL imap-url [LAST]", "RFC 4468 §3.2", "BURL"),
    Known("RSET", "RSET", "RFC 5321 §4.1.1.5"),
    Known("NOOP", "NOOP [anything]", "RFC 5321 §4.1.1.9"),
    Known("QUIT", "QUIT", "RFC 5321 §4.1.1.10"),
    Known("VRFY", "VRFY address", "RFC 5321 §4.1.1.6"),
    Known("EXPN", "EXPN list", "RFC 5321 §4.1.1.7"),
    Known("HELP", "HELP [command]", "RFC 5321 §4.1.1.8"),
    Known("STARTTLS", "STARTTLS", "RFC 3207 §4", "STARTTLS"),
    Known("AUTH", "AUTH mechanism [initial-response]", "RFC 4954 §4", "AUTH"),
    Known("ETRN", "ETRN domain", "RFC 1985", "ETRN"),
    Known("XCLIENT", "XCLIENT name=value ...", "", "XCLIENT"),
    Known("XFORWARD", "XFORWARD name=value ...", "", "XFORWARD"),
)


def offered(keyword: str, offer: Offer) -> bool:
    """True if the extension of this EHLO keyword is offered now."""
    return BY_KEYWORD[keyword].line(offer) is not None


@lru_cache(maxsize=64)
def mail_keywords(offer: Offer) -> frozenset[str]:
    """The parameters that MAIL may have now."""
    return frozenset(_keywords(mail for mail, _ in _parameters(offer)))


@lru_cache(maxsize=64)
def rcpt_keywords(offer: Offer) -> frozenset[str]:
    """The parameters that RCPT may have now."""
    return frozenset(_keywords(rcpt for _, rcpt in _parameters(offer)))


def _parameters(offer: Offer) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    for extension in EXTENSIONS:
        if (extension.mail or extension.rcpt) and extension.line(offer) is not None:
            yield extension.mail, extension.rcpt


def _keywords(parameters: Iterator[tuple[str, ...]]) -> Iterator[str]:
    for syntaxes in parameters:
        for syntax in syntaxes:
            yield syntax.partition("=")[0]


def ehlo_lines(hostname: str, client: str, offer: Offer) -> tuple[str, ...]:
    """The lines of the answer to EHLO."""
    return (f"{hostname} greets {client}", *_told(offer))


@lru_cache(maxsize=64)
def _told(offer: Offer) -> tuple[str, ...]:
    told = (extension.line(offer) for extension in EXTENSIONS)
    return tuple(line for line in told if line)


def help_lines(topic: str, offer: Offer) -> tuple[str, ...] | None:
    """The lines of the answer to HELP; None for a topic that is no command here."""
    commands = [
        known
        for known in COMMANDS
        if known.lmtp in (None, offer.lmtp)
        and (not known.extension or offered(known.extension, offer))
    ]
    if not topic:
        return (
            "Commands: " + " ".join(known.verb for known in commands),
            "HELP and a command tells its syntax",
        )
    for known in commands:
        if known.verb == topic:
            rfc = known.rfc.replace("§", "section ")
            lines = (known.syntax, *_help_of_parameters(topic, offer))
            return (*lines, rfc) if rfc else lines
    return None


def _help_of_parameters(verb: str, offer: Offer) -> Iterator[str]:
    for mail, rcpt in _parameters(offer):
        for syntax in {"MAIL": mail, "RCPT": rcpt}.get(verb, ()):
            yield f"  {syntax}"
