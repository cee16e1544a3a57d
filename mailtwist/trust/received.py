"""Reports that others sent about our domains, found in messages or files.

DMARC aggregate reports (RFC 7489, RFC 9990) as XML, and TLS reports (RFC 8460) as JSON;
plain, gzipped or in a ZIP archive, whatever their media type says.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from attrs import frozen

from ..errors import BadMessage
from ..mime.parse import parse
from ..mime.part import Part
from ..mime.slices import Buffer
from ..mime.text import TransferDecoder
from .aggregate import MOST_OCTETS, AggregateReport, decode

MOST_PARTS = 20  # of one message that are looked at
MOST_MEMBERS = 5  # of one archive
GZIP, ZIP = b"\x1f\x8b", b"PK\x03\x04"


@frozen
class TlsPolicyResult:
    """What one reporter saw of TLS with one domain; `failures` by their type."""

    domain: str
    kind: str
    succeeded: int
    failed: int
    failures: tuple[tuple[str, str, int], ...] = ()  # (result type, host, sessions)


@frozen
class TlsReceived:
    """One TLS report; the dates are as they came, "2026-11-24T00:00:00Z"."""

    org_name: str
    report_id: str
    begin: str
    end: str
    policies: tuple[TlsPolicyResult, ...]


Report = AggregateReport | TlsReceived


def in_message(buffer: Buffer) -> list[Report]:
    """The reports in a message; what is none is left out."""
    found: list[Report] = []
    for part in list(_leaves(parse(buffer)))[:MOST_PARTS]:
        start, count = part.body
        decoder = TransferDecoder(part.encoding)
        try:
            octets = decoder.feed(bytes(buffer[start : start + count]), final=True)
            found += in_octets(octets)
        except BadMessage:
            continue
    return found


def _leaves(part: Part) -> Iterator[Part]:
    if not part.children:
        yield part
    for child in part.children:
        yield from _leaves(child)


def in_octets(octets: bytes) -> list[Report]:
    """The reports in a file.  Raises BadMessage if it is none, or too large."""
    if octets.startswith(GZIP):
        return [_report(_gunzipped(octets))]
    if octets.startswith(ZIP):
        return [_report(each) for each in _unzipped(octets)]
    return [_report(octets)]


def _report(octets: bytes) -> Report:
    front = octets[:200].lstrip(b"\xef\xbb\xbf \t\r\n")
    if front.startswith(b"{"):
        return _tls(octets)
    if front.startswith(b"<"):
        return decode(octets)
    raise BadMessage("That is no report")


def _gunzipped(octets: bytes) -> bytes:
    inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        found = inflater.decompress(octets, MOST_OCTETS + 1)
    except zlib.error as bad:
        raise BadMessage("Report cannot be unpacked") from bad
    if len(found) > MOST_OCTETS:
        raise BadMessage("Report is too large")
    return found


def _unzipped(octets: bytes) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(octets)) as archive:
            for member in archive.infolist()[:MOST_MEMBERS]:
                if member.is_dir():
                    continue
                with archive.open(member) as file:
                    found = file.read(MOST_OCTETS + 1)
                if len(found) > MOST_OCTETS:
                    raise BadMessage("Report is too large")
                yield found
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, ValueError) as bad:
        raise BadMessage("Report cannot be unpacked") from bad
    except NotImplementedError as bad:
        raise BadMessage("Report is packed in an unknown way") from bad


def _tls(octets: bytes) -> TlsReceived:
    """RFC 8460 §4.4."""
    try:
        said = json.loads(octets)
    except (ValueError, RecursionError) as bad:
        raise BadMessage("Report is no JSON") from bad
    if not isinstance(said, dict) or not isinstance(said.get("policies"), list):
        raise BadMessage("Report is no TLS report")
    dates = _table(said.get("date-range"))
    return TlsReceived(
        _text(said.get("organization-name")),
        _text(said.get("report-id")),
        _text(dates.get("start-datetime")),
        _text(dates.get("end-datetime")),
        tuple(_policy(_table(one)) for one in said["policies"][:1000]),
    )


def _policy(said: dict[str, Any]) -> TlsPolicyResult:
    about, summary = _table(said.get("policy")), _table(said.get("summary"))
    details = said.get("failure-details")
    failures: Sequence[Any] = details if isinstance(details, list) else ()
    return TlsPolicyResult(
        _text(about.get("policy-domain")).lower(),
        _text(about.get("policy-type")),
        _count(summary.get("total-successful-session-count")),
        _count(summary.get("total-failure-session-count")),
        tuple(
            (
                _text(one.get("result-type")),
                _text(one.get("receiving-mx-hostname")),
                _count(one.get("failed-session-count")),
            )
            for one in map(_table, failures[:1000])
        ),
    )


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value[:1000] if isinstance(value, str) else ""


def _count(value: Any) -> int:
    return value if isinstance(value, int) and 0 <= value < 10**15 else 0
