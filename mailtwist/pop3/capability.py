"""The capabilities of this server as data; CAPA and the manual are printed from it."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen


@frozen
class Circumstances:
    """What decides which capabilities a client is told."""

    logged_in: bool
    tls_possible: bool  # STLS would work now
    plaintext: bool  # USER and PASS are taken on this connection
    mechanisms: tuple[str, ...]
    expire: str
    login_delay_s: int
    missing: frozenset[str] = frozenset()  # what the account cannot give


Arguments = Callable[[Circumstances], str | None]


@frozen
class Capability:
    """One line of CAPA.

    `arguments` gives what stands behind the tag, "" for nothing, None if the capability
    is not told now; `when` says the same to people.
    """

    tag: str
    rfc: str
    help: str
    arguments: Arguments = lambda now: ""
    when: str = "always"


def _stls(now: Circumstances) -> str | None:
    return "" if now.tls_possible and not now.logged_in else None


def _user(now: Circumstances) -> str | None:
    return "" if now.plaintext else None


def _sasl(now: Circumstances) -> str | None:
    return " ".join(now.mechanisms) or None


def _login_delay(now: Circumstances) -> str | None:
    return str(now.login_delay_s) if now.login_delay_s else None


CAPABILITIES = (
    Capability("TOP", "RFC 2449 §6.1", "Header and first lines of a message."),
    Capability("UIDL", "RFC 2449 §6.8", "Unique ids that stay over sessions."),
    Capability("RESP-CODES", "RFC 2449 §6.4", "Answers may begin with a [code]."),
    Capability("PIPELINING", "RFC 2449 §6.6", "Commands may be sent without waiting."),
    Capability("AUTH-RESP-CODE", "RFC 3206 §6", "[AUTH] tells a wrong login."),
    Capability(
        "USER",
        "RFC 2449 §6.2",
        "Login by USER and PASS.",
        _user,
        "under TLS, or if `auth.plaintext_without_tls`",
    ),
    Capability(
        "SASL",
        "RFC 5034 §6",
        "Login by AUTH with these mechanisms.",
        _sasl,
        "if there is a mechanism for this connection",
    ),
    Capability(
        "STLS",
        "RFC 2595 §4",
        "Start TLS.",
        _stls,
        "before TLS and login, if the listener has it",
    ),
    Capability("UTF8", "RFC 6856 §2", "UTF-8 mode and logins.", lambda now: "USER"),
    Capability("LANG", "RFC 6856 §3", "Language of the answers."),
    Capability(
        "LOGIN-DELAY",
        "RFC 2449 §6.5",
        "Least seconds between logins.",
        _login_delay,
        "if `pop3.login_delay_s` is not 0",
    ),
    Capability(
        "EXPIRE",
        "RFC 2449 §6.7",
        "Days that mail is kept.",
        lambda now: now.expire,
    ),
    Capability(
        "IMPLEMENTATION", "RFC 2449 §6.9", "Who this is.", lambda now: "mailtwist"
    ),
)


def told(now: Circumstances) -> list[bytes]:
    """The lines of CAPA, without line ends."""
    rows = (
        (each.tag, each.arguments(now))
        for each in CAPABILITIES
        if each.tag not in now.missing
    )
    return [
        f"{tag} {arguments}".rstrip().encode()
        for tag, arguments in rows
        if arguments is not None
    ]
