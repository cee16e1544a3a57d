"""FETCH (RFC 3501 §6.4.5, RFC 7162 §3.1.4)."""

from __future__ import annotations

import re

from attrs import define

from ...errors import BadParameter, SyntaxFault
from ..types import (
    Fetch,
    FetchAttribute,
    FetchBinary,
    FetchBinarySize,
    FetchBody,
    FetchEnvelope,
    FetchFlags,
    FetchInternalDate,
    FetchModSeq,
    FetchRfc822,
    FetchRfc822Header,
    FetchRfc822Text,
    FetchSize,
    FetchStructure,
    FetchUid,
    Partial,
    Section,
    SectionText,
)
from ..types_kept import FetchEmailId, FetchPreview, FetchSaveDate, FetchThreadId
from ..types_search import PartialRange
from .scanner import CommandScanner
from .sequence import partial_range, sequence_set
from .strings import (
    MOST_MOD_SEQUENCE,
    MOST_NUMBER,
    astring,
    mod_sequence,
    number,
    nz_number,
    parenthesized,
    sp,
    word,
)

MOST_PART_LEVELS = 100
MOST_ATTRIBUTES = 200

_PLAIN: dict[str, FetchAttribute] = {
    "ENVELOPE": FetchEnvelope(),
    "FLAGS": FetchFlags(),
    "INTERNALDATE": FetchInternalDate(),
    "RFC822": FetchRfc822(),
    "RFC822.HEADER": FetchRfc822Header(),
    "RFC822.SIZE": FetchSize(),
    "RFC822.TEXT": FetchRfc822Text(),
    "BODY": FetchStructure(extensible=False),
    "BODYSTRUCTURE": FetchStructure(),
    "UID": FetchUid(),
    "MODSEQ": FetchModSeq(),
    "EMAILID": FetchEmailId(),
    "THREADID": FetchThreadId(),
    "SAVEDATE": FetchSaveDate(),
}
# preview-mods (RFC 8970 §6); in parentheses as the modifiers of FETCH are.
_LAZY = re.compile(rb" \(LAZY(?: LAZY)*\)", re.I)
_FAST = (_PLAIN["FLAGS"], _PLAIN["INTERNALDATE"], _PLAIN["RFC822.SIZE"])
_MACROS: dict[str, tuple[FetchAttribute, ...]] = {
    "ALL": (*_FAST, _PLAIN["ENVELOPE"]),
    "FAST": _FAST,
    "FULL": (*_FAST, _PLAIN["ENVELOPE"], _PLAIN["BODY"]),
}
_PART = re.compile(rb"[0-9]+(?:\.[0-9]+)*")
_TEXT = re.compile(rb"HEADER(?:\.FIELDS(?:\.NOT)?)?|TEXT|MIME", re.I)


def fetch(s: CommandScanner) -> Fetch:
    """sequence-set SP (macro / fetch-att / list) [SP fetch-modifiers]."""
    sp(s)
    numbers = sequence_set(s)
    sp(s)
    if s.text.startswith(b"(", s.at):
        found = tuple(parenthesized(s, fetch_att))
    else:
        at = s.at
        name = word(s, "what to fetch")
        if name in _MACROS:
            found = _MACROS[name]
        else:
            s.at = at
            found = (fetch_att(s),)
    modifiers = _modifiers(s)
    attributes = dict.fromkeys(found)
    if len(attributes) > MOST_ATTRIBUTES:
        raise BadParameter(f"At most {MOST_ATTRIBUTES} attributes")
    changed_since = modifiers.changed_since
    if changed_since is not None:
        attributes[FetchModSeq()] = None
    if s.uid and not s.uid_only and FetchUid() not in attributes:
        attributes = {FetchUid(): None} | attributes
    return Fetch(
        numbers,
        tuple(attributes),
        changed_since,
        s.uid,
        modifiers.partial,
        modifiers.vanished,
    )


@define
class _Modifiers:
    """fetch-modifiers, each at most once."""

    changed_since: int | None = None
    partial: PartialRange | None = None
    vanished: bool = False


def _modifiers(s: CommandScanner) -> _Modifiers:
    """[SP fetch-modifiers]: CHANGEDSINCE and VANISHED (RFC 7162 §3.1.4.1, §3.2.6),
    PARTIAL (RFC 9394 §4)."""
    found = _Modifiers()
    if not s.text.startswith(b" (", s.at):
        return found
    s.at += 1
    names = parenthesized(s, lambda s: _modifier(s, found))
    if len(set(names)) < len(names):
        raise BadParameter("A modifier stands there twice")
    if found.vanished and found.changed_since is None:
        raise BadParameter("VANISHED needs CHANGEDSINCE")
    return found


def _modifier(s: CommandScanner, found: _Modifiers) -> str:
    name = word(s)
    if name == "CHANGEDSINCE":
        sp(s)
        # Quirk: 0, which is no mod-sequence-value but asks for everything.
        found.changed_since = mod_sequence(s)
    elif name == "PARTIAL" and s.uid:
        sp(s)
        found.partial = partial_range(s)
    elif name == "VANISHED" and s.uid:
        found.vanished = True
    else:
        raise BadParameter("Unknown modifier of FETCH")
    return name


def fetch_att(s: CommandScanner) -> FetchAttribute:
    name = word(s, "what to fetch")
    if name in ("BODY", "BODY.PEEK") and s.skip(b"["):
        section = section_spec(s)
        s.expect(b"]", "a closing bracket")
        return FetchBody(section, name == "BODY.PEEK", _partial(s))
    if name in ("BINARY", "BINARY.PEEK", "BINARY.SIZE") and s.skip(b"["):
        part = _part(s)
        s.expect(b"]", "a closing bracket")
        if name == "BINARY.SIZE":
            return FetchBinarySize(part)
        return FetchBinary(part, name == "BINARY.PEEK", _partial(s))
    if name == "PREVIEW":
        return FetchPreview(lazy=s.try_match(_LAZY) is not None)
    attribute = _PLAIN.get(name)
    if attribute is None:
        raise BadParameter(f"Cannot fetch {name[:40]}")
    return attribute


def section_spec(s: CommandScanner) -> Section:
    """[section-spec]."""
    part = _part(s)
    if part and not s.skip(b"."):
        return Section(part)
    found = s.try_match(_TEXT)
    if not found:
        if part:
            raise SyntaxFault("a section text", s.at)
        return Section()
    text = SectionText(found[0].decode().upper())
    if text is SectionText.MIME and not part:
        raise SyntaxFault("a part number before MIME", found.start())
    if text not in (SectionText.FIELDS, SectionText.FIELDS_NOT):
        return Section(part, text)
    s.skip(b" ")  # Quirk: some clients leave this space out
    return Section(part, text, tuple(parenthesized(s, astring)))


def _part(s: CommandScanner) -> tuple[int, ...]:
    """section-part: nz-numbers joined by dots."""
    found = s.try_match(_PART)
    if not found:
        return ()
    digits = found[0].split(b".")
    if len(digits) > MOST_PART_LEVELS:
        raise SyntaxFault(f"at most {MOST_PART_LEVELS} levels", found.start())
    if any(len(one) > 10 for one in digits):
        raise SyntaxFault(f"part numbers up to {MOST_NUMBER}", found.start())
    part = tuple(map(int, digits))
    if not all(0 < one <= MOST_NUMBER for one in part):
        raise SyntaxFault("part numbers above 0", found.start())
    return part


def _partial(s: CommandScanner) -> Partial | None:
    """ "<" number "." nz-number ">"; 63 bits as in RFC 9051 §9."""
    if not s.skip(b"<"):
        return None
    start = number(s, "an offset", MOST_MOD_SEQUENCE)
    s.expect(b".", "a dot")
    count = nz_number(s, "a count above 0", MOST_MOD_SEQUENCE)
    s.expect(b">", "a closing angle bracket")
    return Partial(start, count)
