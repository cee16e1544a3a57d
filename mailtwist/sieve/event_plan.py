"""What becomes of a message that is here already, after an IMAP client did something to
it (RFC 6785 §3).

The message itself cannot change but for its flags; whatever does not keep it marks it
\\Deleted.
"""

from __future__ import annotations

from attrs import frozen

from ..address import Address
from ..flags import DELETED, NONE, RECENT, Flags
from ..mime.compose import field_of
from ..queue.model import Memory
from . import actions
from .plan import Filing, Plan, Planner, Sending


@frozen
class EventPlan:
    """`done` beside the message; `flags` are those it is to have, None if it goes."""

    done: Plan
    flags: Flags | None


@frozen
class EventPlanner(Planner):
    """The envelope is one from the owner of the mailbox, to whom the scripts belong.

    `held` are the flags of the message."""

    held: Flags = NONE

    async def event_plan(self, outcome: actions.Outcome) -> EventPlan:
        """Raises a temporary MailError for what cannot be looked up now."""
        filings: list[Filing] = []
        sendings: list[Sending] = []
        memories: list[Memory] = []
        flags: Flags | None = None
        for action in outcome.actions:
            match action:
                case actions.Keep():
                    flags = action.flags
                case actions.FileInto():
                    filing = await self._copy_into(action)
                    if filing is None:
                        flags = self.held if flags is None else flags
                    else:
                        filings.append(filing)
                case actions.Redirect():
                    sending = await self._redirect(action)
                    if sending is None:
                        flags = self.held if flags is None else flags
                    else:
                        sendings.append(sending)
                case actions.Notify():
                    sendings += await self._notify(action)
                case actions.Remember(key, seconds, _, again):
                    memories.append(self._memory(key, seconds, first=not again))
                case actions.Discard() | actions.Reject() | actions.Vacation():
                    continue  # the last two cannot be: the script failed
        if failed := (*outcome.failed, *self._failed):
            made = await self._note(failed)
            sendings += made[0]
            memories += made[1]
        if flags is None:
            self._told.append("marked deleted")
        elif flags != self.held:
            self._told.append(f"flags {' '.join(sorted(flags)) or 'taken away'}")
        told = tuple(self._told)
        done = Plan(tuple(filings), tuple(sendings), tuple(memories), told=told)
        return EventPlan(done, flags)

    async def _copy_into(self, action: actions.FileInto) -> Filing | None:
        """None if there is no such mailbox.

        A copy of a message that is about to go does not go with it."""
        place = await self.answers.place(action.target)
        if place is None:
            self._told.append(f"no mailbox {action.target.name}, so kept")
            return None
        flags = action.flags - {RECENT}
        if action.flags == self.held:
            flags -= {DELETED}
        self._told.append(f"copied into {'/'.join(place)}")
        return Filing(place, flags, action.draft)

    def _goes_round(self, address: Address) -> bool:
        """A message that was delivered says so: that is no loop, and what a script
        sends raises no event."""
        return address == self.recipient.address

    def _head(self) -> bytes:
        """With what the message lacks to be sent (RFC 6785 §3.4, RFC 6409 §8)."""
        head, stamp = super()._head(), self._stamp(self.rooms.new_id())
        for name, value in (
            ("From", str(self.recipient.address)),
            ("Date", stamp.date),
            ("Message-ID", stamp.message_id),
        ):
            if not self.header.raw(name.lower().encode()):
                head += field_of(name, value)
        return head
