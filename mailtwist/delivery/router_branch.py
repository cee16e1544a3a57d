"""An address on its way, and where a way ends."""

from __future__ import annotations

from attrs import evolve, frozen

from ..address import Address
from ..directory.model import Account
from ..errors import AliasLoop, MailError
from .model import Route, Target


@frozen
class Branch:
    """An address that is being resolved, and how it came up.

    `chain` names what was expanded on the way here; `sender` and `of_list` are those of
    the target to come; `exact` goes to the mailbox whatever aliases say, `settled` only
    past the virtual ones.
    """

    address: Address
    chain: tuple[str, ...] = ()
    sender: str | None = None
    of_list: bool = False
    exact: bool = False
    settled: bool = False

    def behind(self, mark: str) -> Branch:
        """One expansion further; raises AliasLoop if it was passed before."""
        if mark in self.chain:
            raise AliasLoop()
        return evolve(self, chain=(*self.chain, mark), exact=False, settled=False)

    def target(self, route: Route, run_as: str = "") -> Target:
        """What the way ends in."""
        return Target(self.address, route, self.sender, run_as, self.of_list)


@frozen
class Leaf:
    """A target; with `account` it is a mailbox here, with `fault` it takes no mail."""

    target: Target
    account: Account | None = None
    detail: str = ""
    fault: MailError | None = None
