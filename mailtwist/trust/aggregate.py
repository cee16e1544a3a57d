"""DMARC aggregate reports as values and as XML (RFC 7489 §7.2, RFC 9990)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from attrs import field, frozen

from ..errors import BadMessage
from .dmarc_record import Policy

NAMESPACE = "urn:ietf:params:xml:ns:dmarc-2.0"
MOST_OCTETS = 20 * 1024 * 1024  # of XML that is read
MOST_ROWS = 100_000

_SPACE = re.compile(r"\s+")
_UNSAFE = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@frozen
class DkimProof:
    domain: str
    selector: str
    result: str


@frozen
class SpfProof:
    domain: str
    scope: str  # "mfrom" or "helo"
    result: str


@frozen
class Row:
    """Messages that are alike: what is counted together.

    `disposition` is what was applied; `dkim` and `spf` say pass or fail of what is
    aligned; `override` is a kind of reason why the policy was not followed, "" if it
    was, with `comment`."""

    source_ip: str
    disposition: str
    dkim: str
    spf: str
    header_from: str
    envelope_from: str = ""
    override: str = ""
    comment: str = ""
    dkim_proofs: tuple[DkimProof, ...] = ()
    spf_proofs: tuple[SpfProof, ...] = ()

    @property
    def passed(self) -> bool:
        return "pass" in (self.dkim, self.spf)


@frozen
class Published:
    """The policy that was found, as reports repeat it; "" for what was not said."""

    domain: str
    p: str = "none"
    sp: str = ""
    np: str = ""
    adkim: str = "r"
    aspf: str = "r"
    testing: str = ""
    discovery_method: str = ""
    pct: str = ""


@frozen
class AggregateReport:
    """One report; times are seconds of the epoch, `rows` with their counts."""

    org_name: str
    email: str
    report_id: str
    begin_s: int
    end_s: int
    published: Published
    rows: tuple[tuple[Row, int], ...] = field(factory=tuple)
    generator: str = ""


def published(policy: Policy, discovery_method: str) -> Published:
    """What a record said."""
    return Published(
        policy.domain,
        policy.policy,
        policy.subdomains,
        policy.missing,
        "s" if policy.strict_dkim else "r",
        "s" if policy.strict_spf else "r",
        "y" if policy.testing else "n",
        discovery_method,
    )


# -- written ------------------------------------------------------------------------


def encode(report: AggregateReport) -> bytes:
    """The XML of a report."""
    top = Element("feedback", {"xmlns": NAMESPACE})
    _text(top, "version", "1.0")
    about = SubElement(top, "report_metadata")
    _text(about, "org_name", report.org_name)
    _text(about, "email", report.email)
    _text(about, "report_id", report.report_id)
    dates = SubElement(about, "date_range")
    _text(dates, "begin", str(report.begin_s))
    _text(dates, "end", str(report.end_s))
    if report.generator:
        _text(about, "generator", report.generator)
    said = SubElement(top, "policy_published")
    for name in ("domain", "discovery_method", "p", "sp", "np", "adkim", "aspf"):
        value = getattr(report.published, name)
        if value:
            _text(said, name, value)
    if report.published.testing:
        _text(said, "testing", report.published.testing)
    for row, count in report.rows:
        _record(top, row, count)
    octets: bytes = ElementTree.tostring(top, "utf-8", xml_declaration=True)
    return octets


def _record(top: Element, row: Row, count: int) -> None:
    record = SubElement(top, "record")
    line = SubElement(record, "row")
    _text(line, "source_ip", row.source_ip)
    _text(line, "count", str(count))
    evaluated = SubElement(line, "policy_evaluated")
    _text(evaluated, "disposition", row.disposition)
    _text(evaluated, "dkim", row.dkim)
    _text(evaluated, "spf", row.spf)
    if row.override:
        reason = SubElement(evaluated, "reason")
        _text(reason, "type", row.override)
        if row.comment:
            _text(reason, "comment", row.comment)
    identifiers = SubElement(record, "identifiers")
    _text(identifiers, "header_from", row.header_from)
    if row.envelope_from:
        _text(identifiers, "envelope_from", row.envelope_from)
    proofs = SubElement(record, "auth_results")
    for dkim in row.dkim_proofs:
        made = SubElement(proofs, "dkim")
        _text(made, "domain", dkim.domain)
        _text(made, "selector", dkim.selector)
        _text(made, "result", dkim.result)
    for spf in row.spf_proofs:
        made = SubElement(proofs, "spf")
        _text(made, "domain", spf.domain)
        _text(made, "scope", spf.scope)
        _text(made, "result", spf.result)


def _text(above: Element, name: str, text: str) -> None:
    SubElement(above, name).text = _UNSAFE.sub("?", text)


# -- read ---------------------------------------------------------------------------


def decode(octets: bytes) -> AggregateReport:
    """The report in some XML, of either form.  Raises BadMessage.

    Document types are refused: nothing that is expanded is ever read."""
    if len(octets) > MOST_OCTETS:
        raise BadMessage("Report is too large")
    if b"<!" in octets.replace(b"<!--", b""):
        raise BadMessage("Report has a document type")
    try:
        top = ElementTree.fromstring(octets)  # noqa: S314 - no document type is let in
    except (ElementTree.ParseError, ValueError, LookupError) as bad:
        raise BadMessage("Report is no XML") from bad
    if _name(top) != "feedback":
        raise BadMessage("Report is no DMARC report")
    about = _child(top, "report_metadata")
    dates = _child(about, "date_range")
    said = _child(top, "policy_published")
    rows = [_row(each) for each in _children(top, "record")][:MOST_ROWS]
    return AggregateReport(
        _said(about, "org_name"),
        _said(about, "email"),
        _said(about, "report_id"),
        _number(dates, "begin"),
        _number(dates, "end"),
        Published(
            _said(said, "domain").lower(),
            *(
                _said(said, name)
                for name in (
                    *("p", "sp", "np", "adkim", "aspf", "testing"),
                    *("discovery_method", "pct"),
                )
            ),
        ),
        tuple(rows),
        _said(about, "generator"),
    )


def _row(record: Element) -> tuple[Row, int]:
    line, named = _child(record, "row"), _child(record, "identifiers")
    evaluated, proofs = _child(line, "policy_evaluated"), _child(record, "auth_results")
    reason = _child(evaluated, "reason")
    row = Row(
        _said(line, "source_ip"),
        _said(evaluated, "disposition"),
        _said(evaluated, "dkim"),
        _said(evaluated, "spf"),
        _said(named, "header_from").lower(),
        _said(named, "envelope_from").lower(),
        _said(reason, "type"),
        _said(reason, "comment"),
        tuple(
            DkimProof(
                _said(one, "domain"), _said(one, "selector"), _said(one, "result")
            )
            for one in _children(proofs, "dkim")
        ),
        tuple(
            SpfProof(_said(one, "domain"), _said(one, "scope"), _said(one, "result"))
            for one in _children(proofs, "spf")
        ),
    )
    return row, max(0, _number(line, "count"))


_NOTHING = Element("nothing")


def _name(element: Element) -> str:
    """Without its namespace."""
    return str(element.tag).rpartition("}")[2]


def _children(above: Element, name: str) -> Iterator[Element]:
    return (one for one in above if _name(one) == name)


def _child(above: Element, name: str) -> Element:
    return next(_children(above, name), _NOTHING)


def _said(above: Element, name: str) -> str:
    text = _child(above, name).text or ""
    return _SPACE.sub(" ", text).strip()[:1000]


def _number(above: Element, name: str) -> int:
    text = _said(above, name).partition(".")[0]
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def sums(reports: Sequence[AggregateReport]) -> dict[tuple[str, str, bool], int]:
    """Messages by (domain in From, source, whether they passed)."""
    found: dict[tuple[str, str, bool], int] = {}
    for report in reports:
        for row, count in report.rows:
            key = row.header_from or report.published.domain, row.source_ip, row.passed
            found[key] = found.get(key, 0) + count
    return found
