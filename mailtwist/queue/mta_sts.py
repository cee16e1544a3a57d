"""MTA-STS: the TXT record and the policy of a domain, read (RFC 8461 §3)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from attrs import frozen

MODES = ("enforce", "testing", "none")
MOST_AGE_S = 31_557_600  # one year, RFC 8461 §3.2
MOST_HOSTS = 1000  # mx lines that are read

_VERSION = "STSv1"
_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_LINE = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31})[ \t]*:[ \t]*(.*?)[ \t]*")
_MX = re.compile(r"(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9_-]+\.?")


class BadPolicy(ValueError):
    """A policy that breaks its grammar."""


@frozen
class StsPolicy:
    """A policy; `mx` are patterns in lower case, `text` its lines as they came."""

    mode: str
    max_age_s: int
    mx: tuple[str, ...]
    text: str

    def allows(self, host: str) -> bool:
        """True if a host (A-labels) is one of the domain's by this policy (§4.1): a
        wildcard stands for exactly one label."""
        host = host.lower().removesuffix(".")
        _, _, parent = host.partition(".")
        return host in self.mx or (bool(parent) and f"*.{parent}" in self.mx)

    @classmethod
    def parse(cls, octets: bytes) -> StsPolicy:
        """From the body of the HTTPS answer; raises BadPolicy.

        Unknown fields are passed over; of a field that may stand once only the first
        counts."""
        try:
            text = octets.decode()
        except UnicodeDecodeError as fault:
            raise BadPolicy("not UTF-8") from fault
        fields: dict[str, str] = {}
        mx: list[str] = []
        lines = [line for line in re.split(r"\r?\n", text) if line.strip()]
        for line in lines:
            found = _LINE.fullmatch(line)
            if not found:
                raise BadPolicy(f"no field: {line[:60]!r}")
            if found[1] != "mx":
                fields.setdefault(found[1], found[2])
                continue
            pattern = found[2].lower()
            if not _MX.fullmatch(pattern):
                raise BadPolicy(f"no host: {pattern[:60]!r}")
            mx.append(pattern.removesuffix("."))
        if fields.get("version") != _VERSION:
            raise BadPolicy("no version STSv1")
        mode, age = fields.get("mode", ""), fields.get("max_age", "")
        if mode not in MODES:
            raise BadPolicy(f"mode {mode[:20]!r}")
        if not re.fullmatch(r"[0-9]{1,10}", age):
            raise BadPolicy(f"max_age {age[:20]!r}")
        if not mx and mode != "none":
            raise BadPolicy("no mx")
        return cls(
            mode, min(int(age), MOST_AGE_S), tuple(mx[:MOST_HOSTS]), "\n".join(lines)
        )


def policy_text(mode: str, mx: Sequence[str], max_age_s: int) -> str:
    """The policy of a domain of ours, as its web server gives it at
    /.well-known/mta-sts.txt: of `mode`, for the hosts or patterns `mx` (A-labels)."""
    lines = [f"version: {_VERSION}", f"mode: {mode}"]
    lines += [f"mx: {host}" for host in mx]
    lines.append(f"max_age: {min(max_age_s, MOST_AGE_S)}")
    return "".join(f"{line}\r\n" for line in lines)


def record_id(records: Sequence[bytes]) -> str | None:
    """The id in the TXT records of _mta-sts.DOMAIN; None if the domain has no MTA-STS:
    not exactly one record of this version, or one that breaks the grammar (§3.1)."""
    found = [r for r in records if re.match(rb"v=STSv1[ \t]*(;|\Z)", r)]
    if len(found) != 1:
        return None
    for field in found[0].decode("latin-1").split(";"):
        name, _, value = field.strip().partition("=")
        if name.strip() == "id" and _ID.fullmatch(value.strip()):
            return value.strip()
    return None
