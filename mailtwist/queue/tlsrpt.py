"""TLS reports (RFC 8460): who wants them, and what stands in them."""

from __future__ import annotations

import gzip
import json
import re
from base64 import encodebytes
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from attrs import frozen

from ..address import Address
from ..errors import BadAddress

MOST_DESTINATIONS = 5  # of one domain that are reported to
MOST_DETAILS = 1000  # kinds of failure in one report

_VERSION = re.compile(rb"v=TLSRPTv1[ \t]*(;|\Z)")


@frozen
class Key:
    """What is counted together: a UTC day (2026-11-24), the domain, the policy by
    RFC 8460 §4.4 kind and its lines, the host and its address, and the failure
    ("" for success, else a result type of §4.3)."""

    day: str
    domain: str
    kind: str
    policy: str
    host: str
    address: str
    failure: str


@frozen
class Result:
    key: Key
    count: int


@frozen
class Reporting:
    """Who reports: `hostname` and the address of whoever answers for it."""

    hostname: str
    contact: str


@frozen
class TlsReport:
    """The report about one domain and day, gzipped, with its name."""

    domain: str
    report_id: str
    file_name: str
    octets: bytes


def destinations(records: Sequence[bytes]) -> list[str]:
    """The addresses in the TXT records of _smtp._tls.DOMAIN: "mailto:..." or
    "https://...", none without exactly one record of this version (§3)."""
    found = [record for record in records if _VERSION.match(record)]
    if len(found) != 1:
        return []
    for field in found[0].decode("latin-1").split(";"):
        name, _, value = field.strip().partition("=")
        if name.strip() == "rua":
            uris = [uri.strip() for uri in value.split(",")]
            return [uri for uri in uris if _usable(uri)][:MOST_DESTINATIONS]
    return []


def mailbox(uri: str) -> Address | None:
    """The address of a mailto: URI, None if it is none that can be used."""
    scheme, _, rest = uri.partition(":")
    if scheme.lower() != "mailto":
        return None
    try:
        return Address.parse(rest.partition("?")[0])
    except BadAddress:
        return None


def _usable(uri: str) -> bool:
    if uri.lower().startswith("https://"):
        return uri.isascii() and uri.isprintable() and " " not in uri
    found = mailbox(uri)
    return found is not None and bool(found.domain)


def report(results: Sequence[Result], reporting: Reporting) -> TlsReport:
    """The report of one domain and day (§4.4), of at least one result."""
    first = results[0].key
    begin, end = f"{first.day}T00:00:00Z", f"{first.day}T23:59:59Z"
    report_id = f"{begin}_{first.domain}@{reporting.hostname}"
    by_policy = attrgetter("key.kind", "key.policy")
    policies = [
        _policy(list(some))
        for _, some in groupby(sorted(results, key=by_policy), key=by_policy)
    ]
    said = {
        "organization-name": reporting.hostname,
        "date-range": {"start-datetime": begin, "end-datetime": end},
        "contact-info": reporting.contact,
        "report-id": report_id,
        "policies": policies,
    }
    digits = [re.sub(r"\D", "", time) for time in (begin, end)]
    name = "!".join((reporting.hostname, first.domain, *digits)) + ".json.gz"
    octets = gzip.compress(json.dumps(said, indent=1).encode(), mtime=0)
    return TlsReport(first.domain, report_id, name, octets)


def _policy(results: list[Result]) -> dict[str, Any]:
    first = results[0].key
    lines = first.policy.split("\n") if first.policy else []
    about: dict[str, Any] = {"policy-type": first.kind, "policy-domain": first.domain}
    if lines:
        about["policy-string"] = lines
    patterns = [line[3:].strip() for line in lines if line.startswith("mx:")]
    if first.kind == "sts" and patterns:
        about["mx-host"] = patterns
    failed = [r for r in results if r.key.failure]
    details = [
        {
            "result-type": r.key.failure,
            "receiving-mx-hostname": r.key.host,
            "receiving-ip": r.key.address,
            "failed-session-count": r.count,
        }
        for r in failed[:MOST_DETAILS]
    ]
    failures = sum(r.count for r in failed)
    found: dict[str, Any] = {
        "policy": about,
        "summary": {
            "total-successful-session-count": sum(r.count for r in results) - failures,
            "total-failure-session-count": failures,
        },
    }
    if details:
        found["failure-details"] = details
    return found


def message(
    made: TlsReport, reporting: Reporting, to: Address, message_id: str, date: bytes
) -> bytes:
    """The report as mail (§5.3); `date` is a date-time.

    TLS-Required: No, as it may tell just that TLS does not work there (RFC 8689 §5).
    """
    boundary = b"=_" + message_id.encode()
    hostname = reporting.hostname.encode()
    header = (
        b"From: TLS reports <MAILER-DAEMON@%s>" % hostname,
        b"To: " + to.encode(utf8=not to.ascii),
        b"Subject: Report Domain: %s\r\n\tSubmitter: %s\r\n\tReport-ID: <%s>"
        % (made.domain.encode(), hostname, made.report_id.encode()),
        b"Date: " + date,
        b"Message-ID: <%s@%s>" % (message_id.encode(), hostname),
        b"TLS-Report-Domain: " + made.domain.encode(),
        b"TLS-Report-Submitter: " + hostname,
        b"TLS-Required: No",
        b"Auto-Submitted: auto-generated",  # RFC 3834 §5
        b"MIME-Version: 1.0",
        b'Content-Type: multipart/report; report-type="tlsrpt";\r\n\tboundary="%s"'
        % boundary,
    )
    text = (
        b"Content-Type: text/plain; charset=us-ascii\r\n\r\n"
        b"This is a report of TLS with the mail hosts of %s, as seen by %s.\r\n"
        b"It is meant for programs (RFC 8460).\r\n" % (made.domain.encode(), hostname)
    )
    attached = (
        b"Content-Type: application/tlsrpt+gzip\r\n"
        b"Content-Transfer-Encoding: base64\r\n"
        b'Content-Disposition: attachment;\r\n\tfilename="%s"\r\n\r\n'
        % made.file_name.encode()
        + encodebytes(made.octets).replace(b"\n", b"\r\n")
    )
    delimiter = b"--" + boundary
    return (
        b"\r\n".join(header)
        + b"\r\n\r\n"
        + delimiter
        + b"\r\n"
        + text
        + delimiter
        + b"\r\n"
        + attached
        + delimiter
        + b"--\r\n"
    )
