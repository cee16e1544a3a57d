"""SEARCH (RFC 3501 §6.4.4, RFC 4731 §3.1, RFC 7162 §3.1.5, RFC 5182, RFC 5032,
RFC 5466)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

from ... import search_key as key
from ...errors import (
    BadCharset,
    BadCharsetUnsaved,
    BadFilterCharset,
    BadParameter,
    SyntaxFault,
    UidRequired,
)
from ...flags import ANSWERED, DELETED, DRAFT, FLAGGED, RECENT, SEEN, canonical
from ...search_key import SearchKey, When
from ...seqset import SequenceSet
from ..types_search import Returns, Search, SearchReturn
from .date import day
from .returns import try_returns
from .scanner import CommandScanner
from .sequence import sequence_set
from .strings import (
    MOST_NUMBER,
    astring,
    atom,
    mod_sequence,
    number,
    nz_number,
    parenthesized,
    sp,
    string,
    word,
)

# Charsets of text that Python reads without surprises, by their IANA names: nothing
# that shifts into other protocols (UTF-7), needs a byte order mark or is no charset.
CHARSETS = {
    "US-ASCII": "ascii",
    "UTF-8": "utf-8",
    **{f"ISO-8859-{n}": f"iso8859_{n}" for n in (*range(1, 12), 13, 14, 15, 16)},
    **{f"WINDOWS-{n}": f"cp{n}" for n in (874, *range(1250, 1259))},
    "KOI8-R": "koi8_r",
    "KOI8-U": "koi8_u",
    "ISO-2022-JP": "iso2022_jp",
    "SHIFT_JIS": "shift_jis",
    "EUC-JP": "euc_jp",
    "EUC-KR": "euc_kr",
    "KS_C_5601-1987": "euc_kr",
    "BIG5": "big5",
    "GB2312": "gb2312",
    "GBK": "gbk",
    "GB18030": "gb18030",
}
_ALIASES = {"ASCII": "US-ASCII", "UTF8": "UTF-8", "LATIN1": "ISO-8859-1"}

_CHARSET = re.compile(rb"CHARSET ", re.I)
_FILTER_CHARSETS = (None, "utf-8", "ascii")  # RFC 5466 §3.1
_FILTER_NAME = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\\]/]+(?![^ )])')
_OBJECT_ID = re.compile(rb"[A-Za-z0-9_-]{1,255}(?![^ )])")
_SET = re.compile(rb"[0-9*$]")


def search(s: CommandScanner) -> Search:
    """[SP search-return-opts] [SP "CHARSET" SP astring] 1*(SP search-key).

    After ENABLE UTF8=ACCEPT no charset may be named, as there is one only (RFC 6855
    §3); SORT and THREAD have to name theirs (RFC 5256 §3).
    """
    returns = try_returns(s)
    sp(s)
    charset = None
    if s.try_match(_CHARSET):
        if not s.charsets:
            raise BadParameter("No CHARSET after ENABLE UTF8=ACCEPT")
        charset = charset_of(s, returns)
        sp(s)
    return criteria(s, charset, returns)


def charset_of(s: CommandScanner, returns: Returns | None) -> str:
    """The codec of a charset; raises BadCharset."""
    try:
        return codec(astring(s, "a charset"))
    except BadCharset:
        if returns is not None and returns.asks(SearchReturn.SAVE):
            raise BadCharsetUnsaved() from None
        raise


def criteria(s: CommandScanner, charset: str | None, returns: Returns | None) -> Search:
    """search-key *(SP search-key), to the end of the command."""
    parser = _Keys(charset)
    keys = [parser.search_key(s)]
    while s.skip(b" ") and not s.done:
        keys.append(parser.search_key(s))
    whole = keys[0] if len(keys) == 1 else key.And(tuple(keys))
    relevancy = returns is not None and returns.asks(SearchReturn.RELEVANCY)
    if parser.uses_filter and charset not in _FILTER_CHARSETS:
        raise BadFilterCharset()
    if relevancy and not (parser.uses_fuzzy or parser.uses_filter):
        raise BadParameter("RELEVANCY is for searches with FUZZY")
    return Search(
        whole,
        returns,
        parser.uses_modseq,
        s.uid,
        parser.uses_fuzzy,
        parser.uses_filter,
    )


def filter_name(s: CommandScanner) -> str:
    """filter-name (RFC 5466 §4)."""
    return s.match(_FILTER_NAME, "the name of a filter")[0].decode("ascii")


def codec(name: bytes) -> str:
    """The Python codec of a charset; raises BadCharset."""
    upper = name.decode("ascii", "replace").upper()
    found = CHARSETS.get(_ALIASES.get(upper, upper))
    if found is None:
        raise BadCharset()
    return found


_Rule = Callable[["_Keys", CommandScanner], SearchKey]


class _Keys:
    """The rule search-key, with the charset of its strings (None: not named)."""

    def __init__(self, charset: str | None) -> None:
        self.charset = charset
        self.uses_modseq = self.uses_fuzzy = self.uses_filter = False

    def search_key(self, s: CommandScanner) -> SearchKey:
        with s.level():
            if s.text.startswith(b"(", s.at):
                keys = tuple(parenthesized(s, self.search_key))
                return keys[0] if len(keys) == 1 else key.And(keys)
            if _SET.match(s.text, s.at):
                numbers = sequence_set(s)
                if numbers.saved:
                    return key.Saved()
                if s.uid_only:
                    raise UidRequired()
                return key.InSequence(numbers)
            name = word(s, "a search key")
            rule = _RULES.get(name)
            if rule is None:
                raise BadParameter(f"Unknown search key {name[:40]}")
            return rule(self, s)

    def needle(self, s: CommandScanner) -> str:
        """astring in the charset of the search.

        Quirk: UTF-8 without CHARSET, which the RFC reads as US-ASCII.
        """
        sp(s)
        at, octets = s.at, astring(s, "a string to search for")
        try:
            return octets.decode(self.charset or "utf-8")
        except UnicodeDecodeError as fault:
            raise SyntaxFault("a string in the charset of the search", at) from fault

    def header(self, s: CommandScanner) -> SearchKey:
        sp(s)
        at, name = s.at, astring(s, "a field name")
        if not name.isascii():
            raise SyntaxFault("a field name in US-ASCII", at)
        return key.Header(name.decode("ascii"), self.needle(s))

    def mod_seq(self, s: CommandScanner) -> SearchKey:
        """ "MODSEQ" [SP entry-name SP entry-type-req] SP mod-sequence-valzer.

        We keep one MODSEQ per message, so the entry narrows nothing (RFC 7162
        §3.1.5 lets a server do so).
        """
        sp(s)
        if s.text.startswith((b'"', b"{"), s.at):
            string(s)
            sp(s)
            if word(s) not in ("ALL", "PRIV", "SHARED"):
                raise BadParameter("Entry type is all, priv or shared")
            sp(s)
        self.uses_modseq = True
        return key.ModSeq(mod_sequence(s))

    def not_(self, s: CommandScanner) -> SearchKey:
        sp(s)
        return key.Not(self.search_key(s))

    def fuzzy(self, s: CommandScanner) -> SearchKey:
        """ "FUZZY" SP search-key (RFC 6203 §7)."""
        sp(s)
        self.uses_fuzzy = True
        return key.Fuzzy(self.search_key(s))

    def filter(self, s: CommandScanner) -> SearchKey:
        """ "FILTER" SP filter-name (RFC 5466 §4)."""
        sp(s)
        self.uses_filter = True
        return key.Filter(filter_name(s))

    def or_(self, s: CommandScanner) -> SearchKey:
        sp(s)
        left = self.search_key(s)
        sp(s)
        return key.Or(left, self.search_key(s))


def _object(kind: Callable[[str], SearchKey]) -> _Rule:
    """objectid (RFC 8474 §7)."""

    def rule(keys: _Keys, s: CommandScanner) -> SearchKey:
        sp(s)
        return kind(s.match(_OBJECT_ID, "an object id")[0].decode())

    return rule


def _constant(value: SearchKey) -> _Rule:
    return lambda keys, s: value


def _has(flag: str) -> _Rule:
    return _constant(key.HasFlag(flag))


def _lacks(flag: str) -> _Rule:
    return _constant(key.Not(key.HasFlag(flag)))


def _field(name: str) -> _Rule:
    return lambda keys, s: key.Header(name, keys.needle(s))


def _dated(kind: Callable[[When, date], SearchKey], when: When) -> _Rule:
    def rule(keys: _Keys, s: CommandScanner) -> SearchKey:
        sp(s)
        return kind(when, day(s))

    return rule


def _sized(kind: Callable[[int], SearchKey]) -> _Rule:
    def rule(keys: _Keys, s: CommandScanner) -> SearchKey:
        sp(s)
        return kind(number(s))

    return rule


def _aged(kind: Callable[[int], SearchKey]) -> _Rule:
    def rule(keys: _Keys, s: CommandScanner) -> SearchKey:
        sp(s)
        return kind(nz_number(s, "an interval in seconds"))

    return rule


def _keyword(s: CommandScanner) -> SearchKey:
    """Quirk: a system flag in KEYWORD is looked for as what it is."""
    sp(s)
    mark = "\\" if s.skip(b"\\") else ""
    return key.HasFlag(canonical(mark + atom(s, "a keyword").decode()))


def _uid(keys: _Keys, s: CommandScanner) -> SearchKey:
    sp(s)
    uids = sequence_set(s)
    return key.Saved() if uids.saved else key.InUid(uids)


def _uid_after(keys: _Keys, s: CommandScanner) -> SearchKey:
    sp(s)
    return _uids_from(nz_number(s, "a UID") + 1, MOST_NUMBER)


def _uid_before(keys: _Keys, s: CommandScanner) -> SearchKey:
    sp(s)
    return _uids_from(1, nz_number(s, "a UID") - 1)


def _uids_from(low: int, high: int) -> SearchKey:
    return key.InUid(SequenceSet(((low, high),) if low <= high else ()))


_RULES: dict[str, _Rule] = {
    "ALL": _constant(key.All()),
    "ANSWERED": _has(ANSWERED),
    "BCC": _field("Bcc"),
    "BEFORE": _dated(key.InternalDate, When.BEFORE),
    "BODY": lambda keys, s: key.Body(keys.needle(s)),
    "CC": _field("Cc"),
    "DELETED": _has(DELETED),
    "DRAFT": _has(DRAFT),
    "EMAILID": _object(key.EmailId),
    "FILTER": _Keys.filter,
    "FLAGGED": _has(FLAGGED),
    "FROM": _field("From"),
    "FUZZY": _Keys.fuzzy,
    "HEADER": _Keys.header,
    "KEYWORD": lambda keys, s: _keyword(s),
    "LARGER": _sized(key.Larger),
    "MODSEQ": _Keys.mod_seq,
    "NEW": _constant(key.And((key.HasFlag(RECENT), key.Not(key.HasFlag(SEEN))))),
    "NOT": _Keys.not_,
    "OLD": _lacks(RECENT),
    "OLDER": _aged(key.Older),
    "ON": _dated(key.InternalDate, When.ON),
    "OR": _Keys.or_,
    "RECENT": _has(RECENT),
    "SAVEDATESUPPORTED": _constant(key.SaveDateSupported()),
    "SAVEDBEFORE": _dated(key.SavedDate, When.BEFORE),
    "SAVEDON": _dated(key.SavedDate, When.ON),
    "SAVEDSINCE": _dated(key.SavedDate, When.SINCE),
    "SEEN": _has(SEEN),
    "SENTBEFORE": _dated(key.SentDate, When.BEFORE),
    "SENTON": _dated(key.SentDate, When.ON),
    "SENTSINCE": _dated(key.SentDate, When.SINCE),
    "SINCE": _dated(key.InternalDate, When.SINCE),
    "SMALLER": _sized(key.Smaller),
    "SUBJECT": _field("Subject"),
    "TEXT": lambda keys, s: key.Text(keys.needle(s)),
    "THREADID": _object(key.ThreadId),
    "TO": _field("To"),
    "UID": _uid,
    "UIDAFTER": _uid_after,  # RFC 9738
    "UIDBEFORE": _uid_before,
    "UNANSWERED": _lacks(ANSWERED),
    "UNDELETED": _lacks(DELETED),
    "UNDRAFT": _lacks(DRAFT),
    "UNFLAGGED": _lacks(FLAGGED),
    "UNKEYWORD": lambda keys, s: key.Not(_keyword(s)),
    "UNSEEN": _lacks(SEEN),
    "YOUNGER": _aged(key.Younger),
}
