"""What is made of the checks of a message's origin: fields, and what becomes of it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence

from attrs import evolve, frozen

from ..address import Address
from ..config.trusting import Trust
from ..errors import MailError
from ..trust.arc import ArcResult
from ..trust.dkim_verify import DkimResult
from ..trust.dmarc import DmarcResult
from ..trust.model import Decision
from ..trust.results import MethodResult, encoded, quoted
from ..trust.spf import SpfResult
from . import faults
from .content import Judgement

SIGNATURE_LETTERS = 8  # of b=, to tell signatures apart (RFC 6008)


@frozen
class Found:
    """Everything that was found of one message.

    `iprev` is (result, the client's name); `helo_spf` is "none" where the null path
    made HELO the sender of `spf`."""

    client: str
    helo: str
    sender: Address | None
    iprev: tuple[str, str]
    spf: SpfResult
    helo_spf: SpfResult
    dkim: tuple[DkimResult, ...]
    arc: ArcResult
    dmarc: DmarcResult
    duration_s: float = 0.0
    applied: str = "none"  # what became of it in the words of DMARC
    trusted: str = ""  # the forwarder whose word counted instead

    @property
    def ascii_helo(self) -> str:
        """What HELO said, as any header can have it."""
        return self.helo.encode("ascii", "replace").decode()


def trusted_forwarder(found: Found, forwarders: Sequence[str]) -> str:
    """The sealer that says the message passed DMARC, and is believed; "" if none."""
    known = {one.lower().rstrip(".") for one in forwarders}
    if found.arc.result != "pass" or found.arc.sealer not in known:
        return ""
    for sealer, told in zip(found.arc.sealers, found.arc.told, strict=True):
        if sealer in known and any(
            one.method == "dmarc" and one.result == "pass" for one in told
        ):
            return found.arc.sealer
    return ""


def settled(found: Found, config: Trust) -> Found:
    """With what becomes of the message."""
    wanted = found.dmarc.disposition
    if wanted == "none" or config.dmarc == "mark":
        return found
    forwarder = trusted_forwarder(found, config.forwarders)
    if forwarder:
        return evolve(found, trusted=forwarder)
    if config.dmarc == "quarantine" and wanted in ("reject", "defer"):
        wanted = "quarantine" if wanted == "reject" else "none"
    return evolve(found, applied=wanted)


def judgement(
    found: Found, config: Trust, authserv_id: str, hostname: str
) -> Judgement:
    """Of what was found, and settled."""
    above = encoded(authserv_id, list(results(found)))
    if config.received_spf:
        above += received_spf(found, hostname)
    return Judgement(
        fields=above.encode(),
        refuse=refusal(found, config),
        junk=found.applied == "quarantine",
        decisions=tuple(decisions(found, config)),
    )


def refusal(found: Found, config: Trust) -> MailError | None:
    """What the client is told, None if the message is taken."""
    if config.spf_fail == "refuse" and found.spf.result == "fail":
        return faults.SpfFailed(found.spf.domain, found.spf.explanation)
    match found.applied:
        case "reject":
            return faults.DmarcFailed(found.dmarc.domain)
        case "defer":
            return faults.DmarcUnknown(found.dmarc.domain)
    return None


# -- fields -----------------------------------------------------------------------


def results(found: Found) -> Iterator[MethodResult]:
    """For Authentication-Results (RFC 8601 §2.7)."""
    result, name = found.iprev
    yield MethodResult("iprev", result, {"policy.iprev": found.client}, comment=name)
    problem = found.spf.problem
    if found.sender is None:
        yield MethodResult(
            "spf", found.spf.result, {"smtp.helo": found.ascii_helo}, problem
        )
    else:
        sender = _written(found.sender)
        mail = {"smtp.mailfrom": sender}
        yield MethodResult("spf", found.spf.result, mail, problem)
        if found.helo_spf.result != "none":
            helo = {"smtp.helo": found.ascii_helo}
            yield MethodResult("spf", found.helo_spf.result, helo)
    for one in found.dkim:
        yield _dkim(one)
    if not found.dkim:
        yield MethodResult("dkim", "none")
    if found.arc.result != "none":
        count = f"{len(found.arc.sets)} by {found.arc.sealer or 'nobody'}"
        yield MethodResult("arc", found.arc.result, {}, found.arc.problem, count)
    yield _dmarc(found)


def _dkim(one: DkimResult) -> MethodResult:
    said = {"header.d": one.domain, "header.s": one.selector, "header.a": one.algorithm}
    if one.octets:
        said["header.b"] = b64encode(one.octets).decode()[:SIGNATURE_LETTERS]
    comment = "testing" if one.testing else ""
    said = {name: value for name, value in said.items() if value}
    return MethodResult("dkim", one.result, said, one.problem, comment)


def _dmarc(found: Found) -> MethodResult:
    dmarc = found.dmarc
    said = {"header.from": dmarc.domain} if dmarc.domain else {}
    if dmarc.policy is not None:
        said["policy.dmarc"] = "none" if found.trusted else dmarc.disposition
    comment = f"{found.trusted} vouches" if found.trusted else ""
    return MethodResult("dmarc", dmarc.result, said, dmarc.problem, comment)


def _written(sender: Address) -> str:
    """With A-labels unless the local part needs UTF-8 anyhow (RFC 6531 §3.1)."""
    return sender.encode(utf8=not sender.ascii).decode()


def received_spf(found: Found, hostname: str) -> str:
    """Received-SPF (RFC 7208 §9.1), with its CRLF."""
    spf = found.spf
    identity = "helo" if found.sender is None else "mailfrom"
    sender = "" if found.sender is None else _written(found.sender)
    said = {
        "client-ip": found.client,
        "envelope-from": sender,
        "helo": found.ascii_helo,
        "problem": spf.problem,
        "receiver": hostname,
        "identity": identity,
        "mechanism": spf.mechanism,
    }
    words = [f"{name}={quoted(value)};" for name, value in said.items() if value]
    return f"Received-SPF: {spf.result}\r\n\t" + "\r\n\t".join(words) + "\r\n"


# -- what is kept -------------------------------------------------------------------


def decisions(found: Found, config: Trust) -> Iterator[Decision]:
    """One for each check."""
    result, name = found.iprev
    yield Decision("iprev", found.client, result, name)
    who = found.helo if found.sender is None else str(found.sender)
    spf = found.spf
    refused = config.spf_fail == "refuse" and spf.result == "fail"
    yield Decision(
        "spf",
        f"<{who}>",
        spf.result,
        spf.problem or spf.mechanism,
        option="trust.spf_fail" if refused else "",
    )
    for one in found.dkim:
        yield Decision("dkim", f"{one.selector}.{one.domain}", one.result, one.problem)
    if found.arc.result != "none":
        told = found.arc.problem or found.arc.sealer
        yield Decision("arc", f"{len(found.arc.sets)} sets", found.arc.result, told)
    dmarc = found.dmarc
    told = dmarc.problem
    if dmarc.policy is not None:
        told = f"p={dmarc.wanted} of {dmarc.policy.domain}, {found.applied} applied"
    option = "trust.dmarc" if found.applied != "none" else ""
    if found.trusted:
        told, option = f"{told}, {found.trusted} vouches", "trust.forwarders"
    yield Decision(
        "dmarc",
        dmarc.domain or "no author",
        dmarc.result,
        told,
        found.duration_s,
        option,
    )
