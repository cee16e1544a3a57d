"""What policy orders of a message that it lets through."""

from __future__ import annotations

from attrs import evolve, frozen

from ..address import Address
from ..delivery.model import Route
from ..errors import MailError


@frozen
class Orders:
    """All that checks ordered so far; they hold for the whole message.

    `prepend` are header fields without their CRLF, in the order to stand in;
    `defer_if_permit` is told in place of a permission, `defer_if_reject` in place of a
    permanent refusal.
    """

    hold: bool = False
    discard: bool = False
    redirect: Address | None = None
    bcc: tuple[Address, ...] = ()
    filter: Route | None = None
    prepend: tuple[str, ...] = ()
    defer_if_permit: MailError | None = None
    defer_if_reject: MailError | None = None

    def and_then(self, later: Orders) -> Orders:
        """Both; of what can be said only once the later counts, but the first of two
        reasons to defer is told."""
        bcc = [one for one in later.bcc if one not in self.bcc]
        return Orders(
            self.hold or later.hold,
            self.discard or later.discard,
            later.redirect or self.redirect,
            (*self.bcc, *bcc),
            later.filter or self.filter,
            (*self.prepend, *later.prepend),
            self.defer_if_permit or later.defer_if_permit,
            self.defer_if_reject or later.defer_if_reject,
        )

    def without_deferrals(self) -> Orders:
        """The same for the message, but no reason to defer is left."""
        return evolve(self, defer_if_permit=None, defer_if_reject=None)


NO_ORDERS = Orders()
