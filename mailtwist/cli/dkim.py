"""`mailtwist dkim keygen|list|record|rotate|remove`: keys that mail is signed with."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

from ..config.load import load
from ..delivery.dkim_keys import (
    NEXT,
    RETIRED,
    STATES,
    Key,
    KeyFolder,
    domain_name,
)
from ..errors import ConfigError, MailError, NoSuchDomain
from ..service.build import MailService
from ..trust.dkim import BadSignature, selector_of
from ..trust.keys import ALGORITHMS, BadKey, PrivateKey, public_key

RSA_BITS = (2048, 3072, 4096)
STRING = 255  # octets of one string in a TXT record


def configure(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("dkim", help="keys that mail is signed with (DKIM)")
    leaves = parser.add_subparsers(metavar="WHAT", required=True)

    keygen = leaves.add_parser(
        "keygen",
        help="make the next keys of a domain, and tell what to publish",
        description="The keys are not used until `mailtwist dkim rotate`, so that "
        "their records can be in DNS before.",
    )
    keygen.add_argument("domain", metavar="DOMAIN")
    keygen.add_argument(
        "--algorithm",
        choices=("both", *ALGORITHMS),
        default="both",
        help="a key of each kind unless one is named; not all can check ed25519 yet",
    )
    keygen.add_argument(
        "--bits", type=int, choices=RSA_BITS, default=2048, help="of an RSA key"
    )
    keygen.add_argument(
        "--selector",
        metavar="NAME",
        help="the name before ._domainkey, with a letter for the algorithm behind it; "
        "made of today's date if not given",
    )
    keygen.set_defaults(run=run_keygen)

    listing = leaves.add_parser("list", help="the keys, and which are in use")
    listing.add_argument("domains", metavar="DOMAIN", nargs="*")
    listing.set_defaults(run=run_list)

    record = leaves.add_parser("record", help="the DNS records of a domain's keys")
    record.add_argument("domain", metavar="DOMAIN")
    record.set_defaults(run=run_record)

    rotate = leaves.add_parser(
        "rotate",
        help="sign with the next keys from now on",
        description="Looks first whether their records are in DNS. The keys used "
        "until now retire: leave their records there for some days, then `mailtwist "
        "dkim remove` them. The server need not be told.",
    )
    rotate.add_argument("domain", metavar="DOMAIN")
    rotate.add_argument(
        "--force", action="store_true", help="do not ask DNS for the records"
    )
    rotate.set_defaults(run=run_rotate)

    remove = leaves.add_parser("remove", help="forget a key, its file too")
    remove.add_argument("domain", metavar="DOMAIN")
    remove.add_argument("selector", metavar="SELECTOR")
    remove.add_argument(
        "--force", action="store_true", help="though it is the one that signs"
    )
    remove.set_defaults(run=run_remove)


def run_keygen(options: argparse.Namespace) -> int:
    folder = _folder(options)
    domain = domain_name(options.domain)
    day = time.strftime("%Y-%m-%d", time.gmtime())
    stem = options.selector or _stem(folder, domain, day)
    try:
        stem = selector_of(stem)
    except BadSignature as bad:
        raise ConfigError(f"{stem}: is no selector") from bad
    kinds = ALGORITHMS if options.algorithm == "both" else (options.algorithm,)
    made = []
    for kind in kinds:
        selector = stem
        if options.selector is None or len(kinds) > 1:
            selector += kind[0]
        try:
            made.append(folder.add(domain, selector, kind, options.bits, day))
        except OSError as fault:
            raise ConfigError(
                f"{folder.folder}: cannot be written: {fault.strerror}"
            ) from fault
    print(f"; Publish this, then: mailtwist dkim rotate {domain}")
    _print_records(folder, domain, made)
    return 0


def _stem(folder: KeyFolder, domain: str, day: str) -> str:
    """A selector that no key has: mt, the date, and a number if need be."""
    front = "mt" + day.replace("-", "")
    there = [key.selector for key in folder.index().get(domain, ())]
    stem, number = front, 1
    while any(selector.startswith(stem) for selector in there):
        number += 1
        stem = f"{front}x{number}"
    return stem


def run_list(options: argparse.Namespace) -> int:
    wanted = {domain_name(text) for text in options.domains}
    for domain, keys in sorted(_folder(options).index().items()):
        if wanted and domain not in wanted:
            continue
        print(domain)
        for key in keys:
            told = f"{key.state}: {STATES.get(key.state, '')}"
            print(f"  {key.selector}  {key.algorithm}  made {key.made}  {told}")
    return 0


def run_record(options: argparse.Namespace) -> int:
    folder, domain = _folder(options), domain_name(options.domain)
    keys = folder.index().get(domain, ())
    if not keys:
        raise ConfigError(f"{domain} has no keys")
    _print_records(folder, domain, keys)
    return 0


def _print_records(folder: KeyFolder, domain: str, keys: Sequence[Key]) -> None:
    for key in keys:
        print(f"; {key.state}: {STATES.get(key.state, '')}")
        record = folder.key(domain, key.selector).record
        pieces = [record[at : at + STRING] for at in range(0, len(record), STRING)]
        quoted = " ".join(f'"{piece}"' for piece in pieces)
        print(f"{key.selector}._domainkey.{domain}. IN TXT ( {quoted} )")


def run_rotate(options: argparse.Namespace) -> int:
    folder, domain = _folder(options), domain_name(options.domain)
    keys = folder.index().get(domain, ())
    following = [folder.key(domain, key.selector) for key in keys if key.state == NEXT]
    if following and not options.force:
        _check_published(options, following)
    for key in folder.rotate(domain):
        if key.signs:
            print(f"{domain} signs with {key.selector} now")
        elif key.state == RETIRED:
            print(f"{key.selector} signs no more; leave its record for some days")
    return 0


def _check_published(options: argparse.Namespace, keys: Sequence[PrivateKey]) -> None:
    """Raises ConfigError if DNS has other records or none."""
    from .asking import awaited

    async def ask(service: MailService) -> list[str]:
        return [told for key in keys for told in [await _fault(service, key)] if told]

    wrong = awaited(load(options.config), ask)
    if wrong:
        raise ConfigError(
            "\n".join([*wrong, "Nothing was changed; --force does not ask"])
        )


async def _fault(service: MailService, key: PrivateKey) -> str:
    name = f"{key.selector}._domainkey.{key.domain}"
    try:
        found = public_key((await service.relaying.resolver.txt(name)).records)
    except NoSuchDomain:
        return f"{name}: is not in DNS"
    except MailError as fault:
        return f"{name}: {fault.public}"
    except BadKey as bad:
        return f"{name}: {bad}"
    ours = public_key([key.record.encode()])
    if found.key != ours.key:
        return f"{name}: is another key in DNS"
    return ""


def run_remove(options: argparse.Namespace) -> int:
    folder, domain = _folder(options), domain_name(options.domain)
    active = [key.selector for key in folder.index().get(domain, ()) if key.signs]
    if options.selector in active and not options.force:
        raise ConfigError(f"{options.selector} signs: rotate first, or --force")
    folder.remove(domain, options.selector)
    print(f"{options.selector} of {domain} is gone; take its record out of DNS")
    return 0


def _folder(options: argparse.Namespace) -> KeyFolder:
    return KeyFolder(load(options.config).server.data)
