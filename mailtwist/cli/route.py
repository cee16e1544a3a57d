"""`mailtwist route ADDRESS`: the whole decision about a recipient, step by step."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from typing import Any

from attrs import frozen

from ..address import Address, ascii_domain
from ..config.load import load
from ..config.model import Config
from ..delivery.explain import (
    Decision,
    decision_lines,
    target_text,
    targets_of,
)
from ..delivery.model import RemoteRecipient, Target
from ..errors import MailError
from ..interfaces import IHosts
from ..queue.model import Host
from ..service.build import MailService


def configure(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "route",
        help="explain where mail for an address goes, and why",
        description="Says what each domain is, which table gave what, the final "
        "targets, their ways and senders, and the hosts with the TLS asked of them. "
        "Nothing is sent.",
    )
    parser.add_argument("addresses", metavar="ADDRESS", nargs="+")
    parser.add_argument(
        "-f", "--sender", metavar="ADDRESS", help="as if this were the reverse-path"
    )
    parser.add_argument(
        "--stranger",
        action="store_true",
        help="as for a client that is not trusted and did not log in",
    )
    parser.add_argument("--no-dns", action="store_true", help="do not look up hosts")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)


@frozen
class Explained:
    """A decision, and for each target what is known of its hosts."""

    decision: Decision
    hosts: tuple[tuple[Target, Sequence[str]], ...] = ()


def run(options: argparse.Namespace) -> int:
    """Print the decisions; 1 if an address is refused."""
    from .asking import awaited

    config = load(options.config)
    addresses = [Address.parse(text) for text in options.addresses]
    sender = Address.parse(options.sender) if options.sender else None

    async def ask(service: MailService) -> list[Explained]:
        hosts = None if options.no_dns else service.relaying.hosts
        found = []
        for address in addresses:
            decision = await service.router.explain(
                address, may_relay=not options.stranger, sender=sender
            )
            found.append(await explained(decision, config, hosts))
        return found

    found = awaited(config, ask)
    if options.json:
        print(json.dumps([as_json(one) for one in found], indent=2))
    else:
        for one in found:
            print("\n".join(lines(one)))
    return int(any(one.decision.fault is not None for one in found))


async def explained(
    decision: Decision, config: Config, hosts: IHosts | None
) -> Explained:
    """With the hosts of each target; without `hosts` those of the configuration."""
    recipient = decision.recipient
    if not isinstance(recipient, RemoteRecipient):
        return Explained(decision)
    known = []
    for target in targets_of(recipient):
        known.append((target, tuple(await host_lines(target, config, hosts))))
    return Explained(decision, tuple(known))


async def host_lines(
    target: Target, config: Config, hosts: IHosts | None
) -> Sequence[str]:
    """Who would be asked to take the mail of a target, and by which TLS."""
    route = target.route
    if route.transport == "smarthost":
        return [
            f"{one.host}, TLS {one.tls}{', verified' if one.verify else ''}"
            for one in config.smarthost
        ]
    if route.transport != "smtp" or hosts is None:
        return []
    try:
        next_hop = route.next_hop or ascii_domain(target.address.domain)
        return [host_text(host) for host in await hosts.hosts(next_hop)]
    except MailError as fault:
        return [f"{fault.status} {fault.public}"]


def host_text(host: Host) -> str:
    rule = host.rule
    names = f" for {', '.join(rule.names)}" if rule.names else ""
    tlsa = f" by {len(rule.tlsa)} TLSA" if rule.tlsa else ""
    policy = "" if rule.policy == "no-policy-found" else f" ({rule.policy})"
    where = ", ".join(host.addresses) or "no address"
    return f"{host.name}:{host.port} at {where}, TLS {rule.level}{names}{tlsa}{policy}"


def lines(one: Explained) -> Iterator[str]:
    """The decision; below each target its hosts."""
    by_text = {f"  = {target_text(target)}": known for target, known in one.hosts}
    for line in decision_lines(one.decision):
        yield line
        yield from (f"      {host}" for host in by_text.get(line, ()))


def as_json(one: Explained) -> dict[str, Any]:
    decision = one.decision
    known = dict(one.hosts)
    made: dict[str, Any] = {
        "address": decision.address,
        "steps": [
            {"address": step.address, "where": step.where, "result": step.result}
            for step in decision.steps
        ],
    }
    if decision.fault is not None:
        made["fault"] = {
            "status": decision.fault.status,
            "text": decision.fault.public,
        }
    elif isinstance(decision.recipient, RemoteRecipient):
        made["targets"] = [
            {
                "address": str(target.address),
                "transport": target.route.transport,
                "next_hop": target.route.next_hop,
                "sender": target.sender,
                "run_as": target.run_as,
                "hosts": list(known.get(target, ())),
            }
            for target in targets_of(decision.recipient)
        ]
    elif decision.recipient is not None:
        made["mailbox"] = decision.recipient.account.name
        made["detail"] = decision.recipient.detail
    return made
