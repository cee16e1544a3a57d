"""What limits cost a delivery: `python -m tests.bench.bench_quota [FOLDER]`.

Prints microseconds of wall and CPU time for each 2 KB message, one after the other and
32 to one account at once, without limits and with them, into an empty mailbox and
beside many messages that nobody has looked at, and with a limit of the domain that many
accounts share: the last three are to be the same, but for the sum of the domain.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mailtwist.address import Address
from mailtwist.delivery.model import Envelope, LocalRecipient
from mailtwist.directory.model import Account, DomainLimit
from mailtwist.store.maildir import domain_sum, ledger
from tests.bench.bench_writer import BODY, Measure
from tests.store.inline import InlineStore

MANY = 50_000
ACCOUNTS = 10_000
COUNT = 400


def filled(account: Account, count: int) -> None:
    new = Path(account.mailbox_path, "new")
    new.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (new / f"1700000000.M{number:06}.bench,S=0,W=0").touch()


def deliver(store: InlineStore, account: Account, at_once: int) -> None:
    address = Address.parse(account.name)
    to = tuple(LocalRecipient(address, account) for _ in range(at_once))
    sink = store.delivery().begin(Envelope("m", "s", None, to))
    sink.write(BODY)
    for verdict in store.now(sink.commit()):
        if verdict is not None:
            raise SystemExit(f"benchmark failed: {verdict!r}")


def shared(folder: str, count: int) -> DomainLimit:
    """A limit that so many accounts share with those that are measured."""
    limit = DomainLimit("example.test", f"{folder}/sums/example.test", 10**15, 10**9)
    page = ledger.Page(held={"": [10**6, 100]}, stale=False)
    with domain_sum.opened(limit) as total:
        for number in range(count):
            page.place = -1
            total.put(f"/nowhere/{number}", page)
    return limit


def measured(folder: str, what: str, many: int, **limits: Any) -> None:
    for at_once in (1, 32):
        home = tempfile.mkdtemp(dir=folder)
        account = Account("ann@example.test", home, **limits)
        filled(account, many)
        store = InlineStore()
        store.now(store.mailboxes(account).quotas())  # counted, as RCPT does
        deliver(store, account, 1)
        with Measure(f"{what}, {at_once} at once", COUNT // at_once * at_once):
            for _ in range(COUNT // at_once):
                deliver(store, account, at_once)
        store.now(store.close())


def main(make: Callable[[], str]) -> None:
    folder = make()
    limits = {"storage_limit_octets": 10**12, "message_limit": 10**9}
    domain = shared(folder, ACCOUNTS)
    for _ in range(3):
        measured(folder, "without limits", 0)
        measured(folder, "with limits", 0, **limits)
        measured(folder, f"with limits, beside {MANY}", MANY, **limits)
        what = f"with limits, and a domain of {ACCOUNTS}"
        measured(folder, what, 0, domain=domain, **limits)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if sys.argv[1:] else None) as made:
        main(lambda: made)
