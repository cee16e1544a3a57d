"""What the server says: answers, response codes, strings (RFC 3501 §7, RFC 5530)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from functools import lru_cache

from attrs import frozen

from ..errors import (
    AnnotationTooBig,
    AuthFailed,
    AuthThrottled,
    AuthUnavailable,
    BadCharset,
    BadFilterCharset,
    BadMailboxName,
    BadParameter,
    BadSequence,
    BadUrl,
    BatchTooBig,
    BatchTooSmall,
    EncryptionNeeded,
    LineTooLong,
    LiteralTooBig,
    LoginExpired,
    LoginNotAllowed,
    MailboxExists,
    MailboxHasChildren,
    MailboxInUse,
    MailboxNameLimit,
    MailboxNotSelectable,
    MailboxUnreachable,
    MailError,
    MessageGone,
    MessageTooBig,
    NoSuchMailbox,
    NotPermitted,
    OverQuota,
    StorageFull,
    SyntaxFault,
    SystemBusy,
    TooManyAnnotations,
    TooManyFilters,
    TooManyMessages,
    UidRequired,
    UndefinedFilter,
    UnknownCommand,
    UnknownEncoding,
    UnknownEvent,
    UnknownUse,
)
from ..flags import RECENT, SYSTEM, Flags
from ..mailbox.model import Appended, Copied
from .types import (
    FetchBinary,
    FetchBinarySize,
    FetchBody,
    Partial,
    Section,
    SectionText,
)
from .types_events import NotifyEvent


class Kind(Enum):
    OK = b"OK"
    NO = b"NO"
    BAD = b"BAD"


@frozen
class Answer:
    """resp-cond-state: `code` goes in brackets, octets without them, b"" for none.

    `text` is one sentence of printable ASCII; anything else in it is sent as "?".
    """

    kind: Kind
    text: str
    code: bytes = b""

    def encode(self, tag: bytes = b"*") -> bytes:
        """One line with CRLF; with the default tag an untagged response."""
        code = b"[%b] " % self.code if self.code else b""
        return b"%b %b %b%b\r\n" % (tag, self.kind.value, code, _text(self.text))


def ok(text: str, code: bytes = b"") -> Answer:
    return Answer(Kind.OK, text, code)


def no(text: str, code: bytes = b"") -> Answer:
    return Answer(Kind.NO, text, code)


def bad(text: str, code: bytes = b"") -> Answer:
    return Answer(Kind.BAD, text, code)


def bye(text: str, code: bytes = b"") -> bytes:
    """The untagged BYE before the server closes (§7.1.5)."""
    return b"* BYE %b%b\r\n" % (b"[%b] " % code if code else b"", _text(text))


_UNPRINTABLE = re.compile(rb"[^ -~]")


def _text(text: str) -> bytes:
    return _UNPRINTABLE.sub(b"?", text.encode("ascii", "replace")) or b"."


# -- faults -----------------------------------------------------------------------

# The client's own mistakes: the command was not understood, nothing was tried.
_BAD = (SyntaxFault, LineTooLong, BadSequence, UnknownCommand, BadParameter)

# Response codes by fault, the first that fits (RFC 3501 §7.1, RFC 5530 §3).
_CODES: tuple[tuple[type[MailError], bytes], ...] = (
    (LoginNotAllowed, b"CONTACTADMIN"),
    (LoginExpired, b"EXPIRED"),
    (AuthFailed, b"AUTHENTICATIONFAILED"),
    (AuthUnavailable, b"UNAVAILABLE"),
    (AuthThrottled, b"UNAVAILABLE"),
    (EncryptionNeeded, b"PRIVACYREQUIRED"),
    (NotPermitted, b"NOPERM"),
    (OverQuota, b"OVERQUOTA"),
    (MessageTooBig, b"TOOBIG"),  # RFC 4469 §4.2
    (UnknownEncoding, b"UNKNOWN-CTE"),  # RFC 3516 §4.3
    (StorageFull, b"UNAVAILABLE"),
    (SystemBusy, b"UNAVAILABLE"),
    (MailboxUnreachable, b"UNAVAILABLE"),
    (NoSuchMailbox, b"NONEXISTENT"),
    (MailboxExists, b"ALREADYEXISTS"),
    (MailboxNameLimit, b"LIMIT"),
    (BadMailboxName, b"CANNOT"),
    (MailboxNotSelectable, b"CANNOT"),
    (MailboxHasChildren, b"HASCHILDREN"),  # RFC 9051 §7.1
    (MailboxInUse, b"INUSE"),
    (MessageGone, b"EXPUNGEISSUED"),
    (TooManyAnnotations, b"METADATA TOOMANY"),  # RFC 5464 §4.3
    (UnknownUse, b"USEATTR"),  # RFC 6154 §3
    (BatchTooSmall, b"TOOFEW"),  # RFC 10022
    (BatchTooBig, b"TOOMANY"),
    (TooManyFilters, b"LIMIT"),
)
KNOWN_CHARSETS = (b"US-ASCII", b"UTF-8", b"ISO-8859-1", b"ISO-8859-15", b"WINDOWS-1252")


def no_for(fault: MailError, *, try_create: bool = False) -> Answer:
    """NO with the response code of `fault`; the one place where a fault becomes IMAP.

    `try_create`: the missing mailbox is the target of APPEND, COPY or MOVE
    (§6.3.11).  A fault nobody named is SERVERBUG without its cause.
    """
    if try_create and isinstance(fault, NoSuchMailbox):
        return no(fault.public, b"TRYCREATE")
    if isinstance(fault, BadCharset):
        return no(fault.public, b"BADCHARSET (%b)" % b" ".join(KNOWN_CHARSETS))
    if isinstance(fault, UndefinedFilter):
        return no(fault.public, b"UNDEFINED-FILTER " + fault.name.encode("ascii"))
    if isinstance(fault, BadUrl):
        return no(fault.public, bad_url(fault.url))
    if isinstance(fault, TooManyMessages):
        numbers = (
            b"%d" % fault.most
            if fault.lowest is None
            else b"%d %d" % (fault.most, fault.lowest)
        )
        return no(fault.public, b"MESSAGELIMIT " + numbers)  # RFC 9738 §3.1
    if isinstance(fault, AnnotationTooBig):
        return no(fault.public, b"METADATA MAXSIZE %d" % fault.most)  # RFC 5464 §4.3
    if isinstance(fault, UnknownEvent):
        names = b" ".join(event.value.encode() for event in NotifyEvent)
        return no(fault.public, b"BADEVENT (%b)" % names)  # RFC 5465 §3.1
    for kind, code in _CODES:
        if isinstance(fault, kind):
            return no(fault.public, code)
    return no(fault.public, b"SERVERBUG" if type(fault) is MailError else b"")


def bad_for(fault: MailError) -> Answer:
    """BAD with the sentence of `fault`."""
    code = b"UIDREQUIRED" if isinstance(fault, UidRequired) else b""  # RFC 9586
    return bad(fault.public, code)


def answer_for(fault: MailError, *, try_create: bool = False) -> Answer:
    """BAD for what broke the protocol, else NO with its code."""
    if isinstance(fault, LiteralTooBig):  # RFC 7888 §5
        return bad(fault.public, b"TOOBIG")
    if isinstance(fault, BadFilterCharset):  # RFC 5466 §3.1
        return bad(fault.public, b"BADCHARSET (US-ASCII UTF-8)")
    if isinstance(fault, _BAD):
        return bad_for(fault)
    return no_for(fault, try_create=try_create)


def in_progress(tag: bytes | None) -> bytes:
    """That a long command is still worked on (RFC 9585 §4).

    A tag with a "]" cannot stand in a response code that clients read by that.
    """
    named = b"NIL" if tag is None or b"]" in tag else string(tag)
    return ok("Still at work", b"INPROGRESS (%b NIL NIL)" % named).encode()


# -- strings ----------------------------------------------------------------------

_QUOTABLE = re.compile(rb"[\x01-\x09\x0b\x0c\x0e-\x7f]{0,1000}")
_QUOTABLE_UTF8 = re.compile(rb"[\x01-\x09\x0b\x0c\x0e-\xff]{0,1000}")
_QUOTED_SPECIALS = re.compile(rb'(["\\])')
_ATOM = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\\]]{1,200}')


def string(octets: bytes, *, utf8: bool = False) -> bytes:
    """string: quoted if it can be, else a literal.

    `utf8`: octets above 127 are UTF-8 and may be quoted (RFC 6855 §3, RFC 9051 §4.3).
    """
    if (_QUOTABLE_UTF8 if utf8 else _QUOTABLE).fullmatch(octets):
        return b'"%b"' % _QUOTED_SPECIALS.sub(rb"\\\1", octets)
    return literal(octets)


def literal8(octets: bytes) -> bytes:
    """literal8 (RFC 3516 §7) if it has to be, as a client may tell by it that NUL is
    among the octets (§4.3)."""
    return b"~" + literal(octets) if b"\0" in octets else literal(octets)


def literal(octets: bytes) -> bytes:
    """{n} CRLF and the octets; NUL may not be among them (§4.3.1)."""
    return b"{%d}\r\n%b" % (len(octets), octets)


def nstring(octets: bytes | None) -> bytes:
    return b"NIL" if octets is None else string(octets)


def astring(octets: bytes, *, utf8: bool = False) -> bytes:
    """As an atom if it can be and cannot be taken for NIL, else as `string`."""
    if _ATOM.fullmatch(octets) and octets.upper() != b"NIL":
        return octets
    return string(octets, utf8=utf8)


# -- flags ------------------------------------------------------------------------

_PLACE = {flag: place for place, flag in enumerate((*SYSTEM, RECENT))}


@lru_cache(maxsize=4096)
def flag_list(flags: Flags, *, recent: bool = False) -> bytes:
    """ "(" [flag *(SP flag)] ")": system flags first, keywords sorted.

    A keyword that is no atom (a file in the folder may name one) has no form on the
    wire and is left out.
    """
    if recent:
        flags = flags | {RECENT}
    names = sorted(flags, key=lambda flag: (_PLACE.get(flag, 99), flag))
    wire = (name.encode("utf-8", "replace") for name in names)
    return b"(%b)" % b" ".join(
        w for w in wire if _ATOM.fullmatch(w.removeprefix(b"\\"))
    )


# -- response codes ---------------------------------------------------------------

_NO_URL_TEXT = re.compile(rb"[^ -\\^-~]")


def bad_url(url: bytes) -> bytes:
    """BADURL (RFC 4469 §4.1) with the URL as the client wrote it, but for what cannot
    stand in a response code."""
    return b"BADURL " + _NO_URL_TEXT.sub(b"?", url[:1000])


def append_uid(appended: Appended) -> bytes:
    """APPENDUID (RFC 4315 §3); b"" if the store cannot tell the UIDs."""
    if not appended.uids:
        return b""
    return b"APPENDUID %d %b" % (appended.uid_validity, uid_set(appended.uids))


def copy_uid(copied: Copied) -> bytes:
    """COPYUID (RFC 4315 §3), which has no empty form: b"" if nothing was copied, or the
    store cannot tell the UIDs of the copies."""
    if not copied.target_uids:
        return b""
    return b"COPYUID %d %b %b" % (
        copied.uid_validity,
        uid_set(copied.source_uids),
        uid_set(copied.target_uids),
    )


def uid_set(uids: Sequence[int]) -> bytes:
    """uid-set in the order given: the n-th UID stays the n-th."""
    runs: list[list[int]] = []
    for uid in uids:
        if runs and uid == runs[-1][1] + 1:
            runs[-1][1] = uid
        else:
            runs.append([uid, uid])
    return b",".join(b"%d" % a if a == b else b"%d:%d" % (a, b) for a, b in runs)


# -- FETCH ------------------------------------------------------------------------


def section(value: Section) -> bytes:
    """section without its brackets, as the client may compare it with its own."""
    words: list[bytes] = [b"%d" % number for number in value.part]
    if value.text is not SectionText.ALL:
        words.append(value.text.value.encode())
    label = b".".join(words)
    if value.text in (SectionText.FIELDS, SectionText.FIELDS_NOT):
        label += b" (%b)" % b" ".join(astring(name) for name in value.fields)
    return label


def body_label(attribute: FetchBody) -> bytes:
    """The name of the data item: BODY[section], with <start> if it was partial."""
    return b"BODY[%b]%b" % (section(attribute.section), _start(attribute.partial))


def binary_label(attribute: FetchBinary | FetchBinarySize) -> bytes:
    """BINARY[section-part]<start> or BINARY.SIZE[section-part] (RFC 3516 §4.3)."""
    part = section(Section(attribute.part))
    if isinstance(attribute, FetchBinarySize):
        return b"BINARY.SIZE[%b]" % part
    return b"BINARY[%b]%b" % (part, _start(attribute.partial))


def _start(partial: Partial | None) -> bytes:
    return b"<%d>" % partial.start if partial else b""


def untagged(*words: bytes) -> bytes:
    """One untagged line."""
    return b"* %b\r\n" % b" ".join(words)


def parenthesized(items: Iterable[bytes]) -> bytes:
    return b"(%b)" % b" ".join(items)
