"""Octets to text in the charsets that mail names; nothing here raises.

A charset nobody knows is read as UTF-8 where that fits, else as Latin-1, so that the
ASCII in it can still be found.
"""

from __future__ import annotations

import codecs
from functools import lru_cache

# Names that mail programs write and Python's codecs do not know, or mean less by:
# what is called GB2312 is GBK in practice, what is called Latin-1 has CP1252's quotes.
_OTHER_NAMES = {
    "ansi_x3.4-1968": "ascii",
    "cp-850": "cp850",
    "gb2312": "gb18030",
    "gb_2312-80": "gb18030",
    "gbk": "gb18030",
    "iso-8859-1": "cp1252",
    "iso-8859-8-i": "iso8859-8",
    "iso-8859-8-e": "iso8859-8",
    "iso8859-1": "cp1252",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "euc-kr": "cp949",
    "latin1": "cp1252",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "x-sjis": "cp932",
    "x-gbk": "gb18030",
    "x-mac-roman": "mac_roman",
    "macintosh": "mac_roman",
    "unicode-1-1-utf-7": "utf-7",
    "unicode-1-1-utf-8": "utf-8",
    "us-ascii": "utf-8",  # 8-bit octets under this label are UTF-8 more often than not
    "ascii": "utf-8",
    "x-unknown": "utf-8",
    "unknown-8bit": "utf-8",
    "utf8": "utf-8",
    "": "utf-8",
}

# Codecs in which each ASCII octet stands for that character and nothing else.
_ASCII_INSIDE = frozenset({"utf-8", "ascii", "koi8-r", "koi8-u", "mac-roman"})


# Codecs of Python that are no charset of mail, and raise in spite of "replace".
_NO_CHARSET = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape"})


@lru_cache(256)
def codec_name(charset: bytes) -> str | None:
    """The name of Python's text codec for a charset as mail writes it, or None."""
    name = charset.decode("latin-1").strip(" \t\"'").lower()
    name = _OTHER_NAMES.get(name, name)
    try:
        found = codecs.lookup(name)
        "".encode(found.name)  # refuses codecs from octets to octets (base64, rot13)
    except (LookupError, ValueError):
        return None
    plain = found.name.replace("-", "_")
    return None if plain in _NO_CHARSET else found.name


@lru_cache(256)
def ascii_inside(charset: bytes) -> bool:
    """True if ASCII text in this charset can be found in its octets, and only there."""
    name = codec_name(charset)
    return name is not None and (
        name in _ASCII_INSIDE or name.startswith(("iso8859", "cp125"))
    )


def decoded_octets(octets: bytes, charset: bytes) -> str:
    """`octets` as text; what does not fit the charset becomes U+FFFD or Latin-1."""
    if octets.isascii() and ascii_inside(charset):
        return octets.decode("ascii")
    name = codec_name(charset)
    if name == "utf-8" or name is None:
        try:
            return octets.decode("utf-8")
        except UnicodeDecodeError:
            return octets.decode("latin-1")
    return octets.decode(name, "replace")


def decoder(charset: bytes) -> codecs.IncrementalDecoder:
    """An incremental decoder that replaces what it cannot read, but reads as Latin-1
    what is no UTF-8 where that was claimed or nothing is known."""
    name = codec_name(charset) or "utf-8"
    return codecs.getincrementaldecoder(name)(
        _AS_LATIN_1 if name == "utf-8" else "replace"
    )


def _as_latin_1(fault: UnicodeError) -> tuple[str, int]:
    """A handler of octets that do not fit (codecs.register_error)."""
    if not isinstance(fault, UnicodeDecodeError):
        raise fault
    return fault.object[fault.start : fault.end].decode("latin-1"), fault.end


_AS_LATIN_1 = "mailtwist-as-latin-1"
codecs.register_error(_AS_LATIN_1, _as_latin_1)
