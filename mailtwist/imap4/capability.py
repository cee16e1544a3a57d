"""What CAPABILITY says (RFC 3501 §7.2.1), as a table with the RFC and the condition.

Before login only what helps to log in is told; the rest follows in the CAPABILITY code
of the OK that ends LOGIN or AUTHENTICATE, as it depends on the account's avatar.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from .commands import State


@frozen
class Situation:
    """What the conditions look at.

    `starttls`: it can be had on this listener.  `plaintext`: passwords may be sent on a
    connection without TLS.  `mechanisms`: SASL mechanisms offered now, in upper case.
    `literal_minus`: LITERAL- is told, as both may not be (RFC 7888 §5).
    `compress`: connections may be compressed.  `missing`: capabilities by name that the
    avatar cannot give.  `append_limit`: octets of the largest message that APPEND
    takes.  `message_limit`: how many messages one command may touch, 0 for any number.
    `sieve_url`: where scripts for IMAP events are managed, "" if there are none.
    """

    state: State
    tls: bool = False
    starttls: bool = True
    plaintext: bool = False
    mechanisms: tuple[str, ...] = ()
    compress: bool = True
    literal_minus: bool = False
    missing: frozenset[str] = frozenset()
    append_limit: int = 0
    message_limit: int = 0
    sieve_url: str = ""

    @property
    def logged_in(self) -> bool:
        return self.state in (State.AUTHENTICATED, State.SELECTED)

    @property
    def may_log_in(self) -> bool:
        """True if LOGIN is not refused for want of TLS."""
        return self.tls or self.plaintext


Condition = Callable[[Situation], bool]


def _always(situation: Situation) -> bool:
    return True


def _logged_in(situation: Situation) -> bool:
    return situation.logged_in


@frozen
class CapabilityRow:
    """`enables`: ENABLE knows it (RFC 5161 §3.1).  `value`: what is told behind the
    name and "="."""

    name: str
    rfc: str
    when: Condition
    enables: bool = False
    value: Callable[[Situation], object] | None = None

    def told(self, situation: Situation) -> str:
        if self.value is None:
            return self.name
        return f"{self.name}={self.value(situation)}"


CAPABILITIES = (
    CapabilityRow("IMAP4rev1", "RFC 3501", _always),
    CapabilityRow("IMAP4rev2", "RFC 9051", _always, enables=True),
    CapabilityRow("LITERAL+", "RFC 7888", lambda s: not s.literal_minus),
    CapabilityRow("LITERAL-", "RFC 7888 §5", lambda s: s.literal_minus),
    CapabilityRow("SASL-IR", "RFC 4959", _always),
    CapabilityRow("ID", "RFC 2971", _always),
    CapabilityRow("ENABLE", "RFC 5161", _always),
    CapabilityRow("IDLE", "RFC 2177", _always),
    CapabilityRow(
        "STARTTLS",
        "RFC 3501 §6.2.1",
        lambda s: s.starttls and not s.tls and not s.logged_in,
    ),
    CapabilityRow(
        "LOGINDISABLED",
        "RFC 3501 §6.2.3",
        lambda s: not s.may_log_in and not s.logged_in,
    ),
    CapabilityRow("NAMESPACE", "RFC 2342", _logged_in),
    CapabilityRow("CHILDREN", "RFC 3348", _logged_in),
    CapabilityRow("UNSELECT", "RFC 3691", _logged_in),
    CapabilityRow("UIDPLUS", "RFC 4315", _logged_in),
    CapabilityRow("MOVE", "RFC 6851", _logged_in),
    CapabilityRow("BINARY", "RFC 3516", _logged_in),
    CapabilityRow("MULTIAPPEND", "RFC 3502", _logged_in),
    CapabilityRow("CATENATE", "RFC 4469", _logged_in),
    CapabilityRow("URL-PARTIAL", "RFC 5550", _logged_in),
    CapabilityRow("URLAUTH", "RFC 4467", _logged_in),
    CapabilityRow("URLAUTH=BINARY", "RFC 5524", _logged_in),
    CapabilityRow("REPLACE", "RFC 8508", _logged_in),
    CapabilityRow(
        "APPENDLIMIT", "RFC 7889", _logged_in, value=lambda s: s.append_limit
    ),
    CapabilityRow("SPECIAL-USE", "RFC 6154", _logged_in),
    CapabilityRow("CREATE-SPECIAL-USE", "RFC 6154", _logged_in),
    CapabilityRow("LIST-EXTENDED", "RFC 5258", _logged_in),
    CapabilityRow("LIST-STATUS", "RFC 5819", _logged_in),
    CapabilityRow("ESEARCH", "RFC 4731", _logged_in),
    CapabilityRow("SEARCHRES", "RFC 5182", _logged_in),
    CapabilityRow("WITHIN", "RFC 5032", _logged_in),
    CapabilityRow("PARTIAL", "RFC 9394", _logged_in),
    CapabilityRow("SORT", "RFC 5256", _logged_in),
    CapabilityRow("SORT=DISPLAY", "RFC 5957", _logged_in),
    CapabilityRow("ESORT", "RFC 5267", _logged_in),
    CapabilityRow("SEARCH=FUZZY", "RFC 6203", _logged_in),
    CapabilityRow("MULTISEARCH", "RFC 7377", _logged_in),
    CapabilityRow("CONTEXT=SEARCH", "RFC 5267", _logged_in),
    CapabilityRow("CONTEXT=SORT", "RFC 5267", _logged_in),
    CapabilityRow("THREAD=ORDEREDSUBJECT", "RFC 5256", _logged_in),
    CapabilityRow("THREAD=REFERENCES", "RFC 5256", _logged_in),
    CapabilityRow("THREAD=REFS", "draft-ietf-morg-inthread", _logged_in),
    CapabilityRow("STATUS=SIZE", "RFC 8438", _logged_in),
    CapabilityRow("I18NLEVEL=1", "RFC 5255", _logged_in),
    CapabilityRow("INPROGRESS", "RFC 9585", _logged_in),
    CapabilityRow("UTF8=ACCEPT", "RFC 6855", _logged_in, enables=True),
    CapabilityRow("COMPRESS=DEFLATE", "RFC 4978", lambda s: s.logged_in and s.compress),
    CapabilityRow("UNAUTHENTICATE", "RFC 8437", _logged_in),
    CapabilityRow("METADATA", "RFC 5464", _logged_in),
    CapabilityRow("METADATA-SERVER", "RFC 5464", _logged_in),
    CapabilityRow("LIST-METADATA", "RFC 9590", _logged_in),
    CapabilityRow("FILTERS", "RFC 5466", _logged_in),
    CapabilityRow("QUOTA", "RFC 9208", _logged_in),
    CapabilityRow("QUOTASET", "RFC 9208 §4.1.3", _logged_in),
    CapabilityRow("QUOTA=RES-STORAGE", "RFC 9208 §5.1", _logged_in),
    CapabilityRow("QUOTA=RES-MESSAGE", "RFC 9208 §5.2", _logged_in),
    CapabilityRow("QUOTA=RES-MAILBOX", "RFC 9208 §5.3", _logged_in),
    CapabilityRow("ACL", "RFC 4314", _logged_in),
    CapabilityRow("RIGHTS", "RFC 4314 §2.2", _logged_in, value=lambda s: "kxte"),
    CapabilityRow("LIST-MYRIGHTS", "RFC 8440", _logged_in),
    CapabilityRow("OBJECTID", "RFC 8474", _logged_in),
    CapabilityRow("PREVIEW", "RFC 8970", _logged_in),
    CapabilityRow("SAVEDATE", "RFC 8514", _logged_in),
    CapabilityRow("CONDSTORE", "RFC 7162", _logged_in, enables=True),
    CapabilityRow("QRESYNC", "RFC 7162", _logged_in, enables=True),
    CapabilityRow("NOTIFY", "RFC 5465", _logged_in),
    CapabilityRow("UIDONLY", "RFC 9586", _logged_in, enables=True),
    CapabilityRow("UIDBATCHES", "RFC 10022", _logged_in),
    CapabilityRow(
        "IMAPSIEVE",
        "RFC 6785 §2.1",
        lambda s: s.logged_in and bool(s.sieve_url),
        value=lambda s: s.sieve_url,
    ),
    CapabilityRow(
        "MESSAGELIMIT",
        "RFC 9738",
        lambda s: s.logged_in and s.message_limit > 0,
        value=lambda s: s.message_limit,
    ),
)


def capabilities(situation: Situation) -> bytes:
    """The names with single spaces, as they stand behind CAPABILITY."""
    told = [
        row.told(situation)
        for row in CAPABILITIES
        if row.name not in situation.missing and row.when(situation)
    ]
    if not situation.logged_in:
        told += [f"AUTH={mechanism}" for mechanism in situation.mechanisms]
    return " ".join(told).encode("ascii")


def enabled(names: tuple[str, ...], situation: Situation) -> tuple[str, ...]:
    """Those of `names` (in upper case) that ENABLE can switch on, each once and as
    CAPABILITY spells it."""
    known = {
        row.name.upper(): row.name
        for row in CAPABILITIES
        if row.enables and row.name not in situation.missing
    }
    return tuple(dict.fromkeys(known[name] for name in names if name in known))
