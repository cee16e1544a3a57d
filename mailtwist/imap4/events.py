"""What the engine hands out: one event at a time.

Events marked *answered* wait for `engine.finish(answer)`; the others are done with when
`next_event` is called again.
"""

from __future__ import annotations

from attrs import field, frozen

from ..errors import MailError
from ..secret import Secret
from .commands import CommandRow
from .types import Command
from .types_append import Append, Step


@frozen
class Asked:
    """A command that is allowed in this state (*answered*).

    APPEND and REPLACE never come this way but as AppendStart.
    """

    tag: bytes
    row: CommandRow  # its line in the command table
    command: Command


@frozen
class Refused:
    """A command that cannot be done, or the end of one under way (*answered*).

    Answer with `response.answer_for(fault)`.  `tag` None: it is not known, and the
    answer is untagged.  `deselects`: a SELECT failed by the name alone, so no mailbox
    is selected any more (RFC 3501 §6.3.1).  `fatal`: say BYE and close, as what follows
    cannot be read as commands.  An APPEND, AUTHENTICATE or IDLE under way is over.
    """

    tag: bytes | None
    fault: MailError
    deselects: bool = False
    fatal: bool = False


@frozen
class Continue:
    """A literal within the limits is waited for: write `octets` and go on."""

    octets: bytes = b"+ Ready for the literal\r\n"


@frozen
class AppendStart:
    """An APPEND or REPLACE, up to its first literal with octets of a message.

    Either `engine.accept_append()`, whose octets are written, and these follow as
    AppendOctets, then AppendMore for each further literal and AppendEnd (or Refused);
    or `engine.finish(answer)` with NO: the client keeps what it did not send, and what
    it sends unasked is swallowed.
    """

    tag: bytes
    row: CommandRow
    command: Append
    steps: tuple[Step, ...] = ()


@frozen
class AppendMore:
    """The command up to its next literal with octets of a message; answered as
    AppendStart."""

    steps: tuple[Step, ...]


@frozen
class AppendOctets:
    """Octets of the message; the next event may be asked for when they are stored."""

    octets: bytes


@frozen
class AppendEnd:
    """The last message and the command are whole (*answered*)."""

    steps: tuple[Step, ...] = ()


@frozen
class AuthResponse:
    """The client's answer to `engine.challenge(...)`, decoded."""

    octets: Secret = field(repr=False)


@frozen
class IdleDone:
    """DONE (RFC 2177): IDLE is over (*answered*)."""


Event = (
    Asked
    | Refused
    | Continue
    | AppendStart
    | AppendMore
    | AppendOctets
    | AppendEnd
    | AuthResponse
    | IdleDone
)
