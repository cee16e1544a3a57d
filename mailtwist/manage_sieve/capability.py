"""The capabilities of this server as data (RFC 5804 §1.7); CAPABILITY and the manual
are printed from it."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

IMPLEMENTATION = "mailtwist"
NOTIFY = "mailto"  # the methods of "enotify"


@frozen
class Circumstances:
    """What decides which capabilities a client is told; `owner` is "" before a
    login."""

    mechanisms: tuple[str, ...]
    extensions: tuple[str, ...]
    redirects: int
    tls_possible: bool = False  # STARTTLS would work now
    owner: str = ""


Value = Callable[[Circumstances], str | None]


@frozen
class Capability:
    """One line of CAPABILITY.

    `value` is what stands behind the name, "" for nothing, None if the capability is
    not told now; `bare` has no value at all.
    """

    name: str
    help: str
    value: Value
    bare: bool = False
    when: str = "always"


CAPABILITIES = (
    Capability("IMPLEMENTATION", "Who this is.", lambda now: IMPLEMENTATION),
    Capability("VERSION", "Of the protocol.", lambda now: "1.0"),
    Capability(
        "SASL",
        "Login by AUTHENTICATE with these mechanisms.",
        lambda now: " ".join(now.mechanisms),
    ),
    Capability(
        "SIEVE",
        "What scripts may require, but for `sieve.without`.",
        lambda now: " ".join(now.extensions),
    ),
    Capability(
        "MAXREDIRECTS",
        "Redirects of one message, at most (`sieve.redirects`).",
        lambda now: str(now.redirects),
    ),
    Capability("LANGUAGE", "Of what is told to people.", lambda now: "en"),
    Capability(
        "NOTIFY",
        "How scripts may notify.",
        lambda now: NOTIFY if "enotify" in now.extensions else None,
        when="with the extension `enotify`",
    ),
    Capability(
        "UNAUTHENTICATE",
        "Another login on the same connection.",
        lambda now: "",
        bare=True,
    ),
    Capability(
        "STARTTLS",
        "Start TLS.",
        lambda now: "" if now.tls_possible and not now.owner else None,
        bare=True,
        when="before TLS and login, if the listener has it",
    ),
    Capability(
        "OWNER",
        "Whose scripts these are.",
        lambda now: now.owner or None,
        when="after the login",
    ),
)


def told(now: Circumstances) -> list[tuple[str, str | None]]:
    """Names with their values; None behind names without one."""
    rows = ((each, each.value(now)) for each in CAPABILITIES)
    return [
        (each.name, None if each.bare else value)
        for each, value in rows
        if value is not None
    ]
