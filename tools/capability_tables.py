"""docs/capabilities.md: what each protocol offers, told by the tables it uses itself.

The columns are the three states of a connection; each cell is what the server's own
table says in that state, with the standard options and every mechanism possible.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve

from mailtwist.config.model import Smtp
from mailtwist.config.reading import Pop3
from mailtwist.config.sieve import Sieve
from mailtwist.imap4 import capability as imap4
from mailtwist.imap4.commands import State
from mailtwist.manage_sieve import capability as manage_sieve
from mailtwist.pop3 import capability as pop3
from mailtwist.sasl.mechanisms import MECHANISMS, Mechanism
from mailtwist.smtp.command import Offer
from mailtwist.smtp.extensions import EXTENSIONS

STATES = ("before TLS", "under TLS", "logged in")
NAMES = tuple(mechanism.name for mechanism in MECHANISMS)
CLEAR = tuple(mechanism.name for mechanism in MECHANISMS if not mechanism.plaintext)
NEEDS = {
    "password": "any account",
    "scram": "any account",
    "secret": "accounts made with `--keep-secret`",
    "certificate": "a client certificate, with `tls.client_ca`",
    "ticket": "a Kerberos ticket, with `gssapi.keytab`",
    "token": "a token of the provider in `[oidc]`",
    "nobody": "nothing, over POP3 and IMAP, with `auth.anonymous`",
}

SMTP_WHERE = {
    "AUTH": "not LMTP",
    "FUTURERELEASE": "submission, unless `smtp.hold_s` is 0",
    "PRDR": "not LMTP",
    "ETRN": "`trusted_networks`, `restrictions.etrn_networks`",
    "XCLIENT": "`restrictions.trusted_proxies`",
    "XFORWARD": "`restrictions.trusted_proxies`",
}

HEAD = """# Capabilities

What the servers offer, and when. Printed by `make docs` from the tables that EHLO, CAPA
and CAPABILITY are made from. "before TLS" is a listener with `tls = "starttls"`; one
with `tls = "implicit"` begins under TLS. Options can change a cell:
`auth.plaintext_without_tls` lets plain passwords in before TLS, `smtp.withheld` takes
keywords of EHLO away.
"""


def page() -> str:
    return (
        HEAD
        + table(
            "SMTP, submission and LMTP: EHLO and LHLO",
            ("keyword", "RFC", *STATES, "where"),
            smtp_rows(),
        )
        + table(
            "POP3: CAPA",
            ("tag", "RFC", "meaning", *STATES, "told"),
            pop3_rows(),
        )
        + table(
            "IMAP: CAPABILITY",
            ("name", "RFC", *STATES, "ENABLE"),
            imap4_rows(),
        )
        + table(
            "ManageSieve: CAPABILITY",
            ("name", "RFC", "meaning", *STATES, "told"),
            manage_sieve_rows(),
        )
        + table(
            "SASL mechanisms",
            ("mechanism", "RFC", "before TLS", "works for"),
            (
                (one.name, one.rfc, yes(not one.plaintext), needs(one))
                for one in MECHANISMS
            ),
        )
    )


def needs(mechanism: Mechanism) -> str:
    if mechanism.name == "SCRAM-SHA-1":
        return "passwords set while `auth.scram_sha1` was on"
    if mechanism.name == "DIGEST-MD5":
        return NEEDS["secret"] + ", while `auth.digest_md5` is on"
    return NEEDS[mechanism.needs]


def table(title: str, heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [f"\n## {title}\n", row(heads), row(("---",) * len(heads)), *map(row, rows)]
    return "\n".join(lines) + "\n"


def row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def yes(offered: bool) -> str:
    return "yes" if offered else ""


def line(keyword: str, text: str | None) -> str:
    """A cell for this line of the server; the keyword alone is just offered."""
    return f"`{text}`" if text and text != keyword else yes(text is not None)


def smtp_rows() -> Iterable[tuple[str, ...]]:
    config = Smtp()
    limits = f"MAILMAX={config.messages} RCPTMAX={config.recipients}"
    hold = f"{config.hold_s} date-time"
    offer = Offer(
        config.message_octets,
        deliver_by_s=config.deliver_by_s,
        hold=hold,
        limits=limits,
        etrn=True,
        proxy=True,
    )
    offers = (
        evolve(offer, starttls=True, mechanisms=CLEAR),
        evolve(offer, tls=True, mechanisms=NAMES),
        evolve(offer, tls=True),
    )
    for one in EXTENSIONS:
        yield (
            one.keyword,
            one.rfc,
            *(line(one.keyword, one.told(offer)) for offer in offers),
            SMTP_WHERE.get(one.keyword, ""),
        )


def pop3_rows() -> Iterable[tuple[str, ...]]:
    config = Pop3()

    def now(logged_in: bool, tls: bool) -> pop3.Circumstances:
        return pop3.Circumstances(
            logged_in=logged_in,
            tls_possible=not tls,
            plaintext=tls,
            mechanisms=NAMES if tls else CLEAR,
            expire=config.expire,
            login_delay_s=config.login_delay_s,
        )

    states = (now(False, False), now(False, True), now(True, True))
    for one in pop3.CAPABILITIES:
        said = (one.arguments(state) for state in states)
        cells = (
            line(one.tag, None if s is None else f"{one.tag} {s}".rstrip())
            for s in said
        )
        yield one.tag, one.rfc, one.help, *cells, one.when


def manage_sieve_rows() -> Iterable[tuple[str, ...]]:
    redirects = Sieve().redirects
    some = ("enotify", "fileinto", "...")  # docs/sieve.md has them all
    clear, names = (
        tuple(name for name in each if name != "ANONYMOUS") for each in (CLEAR, NAMES)
    )
    states = (
        manage_sieve.Circumstances(clear, some, redirects, tls_possible=True),
        manage_sieve.Circumstances(names, some, redirects),
        manage_sieve.Circumstances(names, some, redirects, owner="NAME"),
    )
    for one in manage_sieve.CAPABILITIES:
        values = [one.value(state) for state in states]
        cells = [yes(v is not None) if one.bare else f"`{v}`" * bool(v) for v in values]
        yield one.name, "RFC 5804 §1.7", one.help, *cells, one.when


def imap4_rows() -> Iterable[tuple[str, ...]]:
    situations = (
        imap4.Situation(State.NOT_AUTHENTICATED, mechanisms=CLEAR),
        imap4.Situation(State.NOT_AUTHENTICATED, tls=True, mechanisms=NAMES),
        imap4.Situation(State.AUTHENTICATED, tls=True, mechanisms=NAMES),
    )
    for one in imap4.CAPABILITIES:
        told = (yes(one.when(situation)) for situation in situations)
        yield one.name, one.rfc, *told, yes(one.enables)
    for mechanism in MECHANISMS:
        clear = yes(not mechanism.plaintext)
        yield f"AUTH={mechanism.name}", "RFC 3501 §6.2.2", clear, "yes", "", ""
