"""Message identifiers in header fields (RFC 5322 §3.6.4), in one form each."""

from __future__ import annotations

import re

_ID = re.compile(
    rb'<((?:"(?:[^"\\]|\\.)*"|[^<>"\s@])+)@([^<>"\s]+)>',
    re.S,
)
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.S)
_ESCAPE = re.compile(rb"\\(.)", re.S)


def message_ids(value: bytes) -> list[bytes]:
    """Those in an unfolded value, as `left@right` without quoting (RFC 5256 §3, the
    note on REFERENCES); what is no identifier is left out."""
    return [b"%b@%b" % (_plain(left), right) for left, right in _ID.findall(value)]


def _plain(left: bytes) -> bytes:
    if b'"' not in left:
        return left
    return _QUOTED.sub(lambda found: _ESCAPE.sub(rb"\1", found[1]), left)
