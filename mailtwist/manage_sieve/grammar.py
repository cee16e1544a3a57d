"""Commands of ManageSieve: octets to whole commands, and to values (RFC 5804 §4)."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable

from attrs import field, frozen

from ..errors import (
    BadParameter,
    LineTooLong,
    MailError,
    SyntaxFault,
    UnknownCommand,
)
from ..wire import Scanner

MOST_LINE = 16 * 1024  # octets of a command without what literals hold
MOST_QUOTED = 8 * 1024  # RFC 5804 §4 has 1024; tokens of single sign-on are longer
MOST_NAME = 128  # characters of a script's name (RFC 5804 §1.6)

_LITERAL = re.compile(rb"\{([0-9]{1,20})(\+?)\}\Z")
_TAIL = 32  # octets that may be the end of a line with such a literal
_DIGITS = 10  # of a number below 4,294,967,296
_ATOM = re.compile(rb"[!#-'*-\[\]-z|}~]+")
_QUOTED = re.compile(rb'"([^"\\\r\n\0]*(?:\\["\\][^"\\\r\n\0]*)*)"')
_LITERAL_HERE = re.compile(rb"\{([0-9]{1,10})\+\}\r\n")
_ESCAPE = re.compile(rb"\\(.)", re.S)
_NUMBER = re.compile(rb"(?:0|[1-9][0-9]{0,9})(?![0-9])")
_MOST_NUMBER = 2**32 - 1
_REFUSED = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029]")  # RFC 5804 §1.6
_BASE64 = re.compile(
    rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==|[A-Za-z0-9+/]=))?"
)


class ScriptTooLarge(MailError):
    """More octets than a script may have; they were skipped."""

    status, public = "5.2.3", "The script is too large"


class BadLiteral(SyntaxFault):
    """A literal as only servers send it, or of a size that is none: where the next
    command begins is not known."""

    def __init__(self) -> None:
        super().__init__("a literal {number+}", 0)


class Framer:
    """Octets in, whole commands out, literals included; without the last line end.

    Any split of the input gives the same commands.  Literals that are too large are
    skipped with their command, as are lines that are too long; each costs one fault.
    """

    def __init__(self) -> None:
        self._most = MOST_LINE
        self._excess: type[MailError] = LineTooLong
        self._rest = bytearray()
        self._scanned = 0  # octets of `_rest` that belong to the command for sure
        self._searched = 0  # that hold no further line end
        self._literals = 0  # octets of literals in it
        self._skip = 0  # octets of a literal that are thrown away
        self._fault: MailError | None = None

    @property
    def pending(self) -> int:
        """Octets received and not yet handed out."""
        return len(self._rest)

    def allow(self, most: int, excess: type[MailError]) -> None:
        """Octets that the literals of a command may have together, and the fault of
        one with more; for the commands from the next on."""
        self._most, self._excess = most, excess

    def feed(self, data: bytes) -> None:
        self._rest += data

    def take_all(self) -> None:
        """Forget what was received."""
        self._rest.clear()
        self._scanned = self._searched = self._literals = self._skip = 0
        self._fault = None

    def next_command(self) -> bytes | None:
        """The next command, None until it is there; raises LineTooLong, BadLiteral, and
        the fault of a literal that is too large."""
        while True:
            if self._skip:
                gone = min(self._skip, len(self._rest))
                del self._rest[:gone]
                self._skip -= gone
                if self._skip:
                    return None
            end = self._rest.find(b"\r\n", max(self._scanned, self._searched))
            if end < 0:
                self._wait()
                return None
            literal = _LITERAL.search(self._rest, self._scanned, end)
            if literal is None:
                return self._whole(end)
            if not literal[2] or len(literal[1]) > _DIGITS:
                self._fault = BadLiteral()
                return self._whole(end)
            count = int(literal[1])
            if self._fault is None and end + 2 - self._literals > MOST_LINE:
                self._fault = LineTooLong()
            if self._fault is None and self._literals + count > self._most:
                self._fault = self._excess()
            if self._fault is not None:
                self._forget(end + 2)
                self._skip = count
                continue
            if len(self._rest) < end + 2 + count:
                self._searched = end
                return None
            self._literals += count
            self._scanned = self._searched = end + 2 + count

    def _wait(self) -> None:
        """No line end yet: keep what may begin one, drop what is over the limit."""
        # A last CR may belong to the line end.
        if self._fault is None and len(self._rest) - self._literals > MOST_LINE + 1:
            self._fault = LineTooLong()
        if self._fault is not None:
            self._forget(max(0, len(self._rest) - _TAIL))
        self._searched = max(self._scanned, len(self._rest) - 1)

    def _forget(self, octets: int) -> None:
        """The first octets of a command that is refused."""
        del self._rest[:octets]
        self._scanned = self._searched = self._literals = 0

    def _whole(self, end: int) -> bytes:
        command, fault = bytes(self._rest[:end]), self._fault
        too_long = len(command) - self._literals > MOST_LINE
        self._forget(end + 2)
        self._fault = None
        if fault is None and too_long:
            fault = LineTooLong()
        if fault is not None:
            raise fault
        return command


# -- commands -------------------------------------------------------------------------


@frozen
class Command:
    """What a client asks for."""


@frozen
class Authenticate(Command):
    """`initial` is decoded; None if there is none."""

    mechanism: str
    initial: bytes | None = field(default=None, repr=False)


@frozen
class StartTls(Command):
    pass


@frozen
class Logout(Command):
    pass


@frozen
class Capability(Command):
    pass


@frozen
class Unauthenticate(Command):
    pass


@frozen
class ListScripts(Command):
    pass


@frozen
class Noop(Command):
    tag: bytes | None = None


@frozen
class HaveSpace(Command):
    name: str
    octets: int


@frozen
class PutScript(Command):
    name: str
    octets: bytes = field(repr=False)


@frozen
class CheckScript(Command):
    octets: bytes = field(repr=False)


@frozen
class SetActive(Command):
    """None for no script."""

    name: str | None


@frozen
class GetScript(Command):
    name: str


@frozen
class DeleteScript(Command):
    name: str


@frozen
class RenameScript(Command):
    old: str
    new: str


def parse(octets: bytes) -> Command:
    """The command of a whole frame.  Raises SyntaxFault, UnknownCommand,
    BadParameter."""
    s = Scanner(octets)
    verb = s.match(_ATOM, "a command")[0].upper()
    read = _COMMANDS.get(verb)
    if read is None:
        raise UnknownCommand()
    command = read(s)
    s.end()
    return command


def response(octets: bytes) -> bytes | None:
    """A client's turn in a SASL exchange, decoded; None for "*" (RFC 5804 §2.1)."""
    s = Scanner(octets)
    found = _string(s)
    s.end()
    return None if found == b"*" else _decoded(found)


def _string(s: Scanner) -> bytes:
    literal = s.try_match(_LITERAL_HERE)
    if literal is not None:
        end = s.at + int(literal[1])
        found = s.text[s.at : end]
        s.at = end
        return found
    found = s.match(_QUOTED, "a string")[1]
    if len(found) > MOST_QUOTED:
        raise SyntaxFault("a shorter string", s.at)
    return _ESCAPE.sub(rb"\1", found) if b"\\" in found else found


def _argument(s: Scanner) -> bytes:
    s.expect(b" ", "an argument")
    return _string(s)


def _decoded(text: bytes) -> bytes:
    if not _BASE64.fullmatch(text):
        raise SyntaxFault("base64", 0)
    return binascii.a2b_base64(text)


def _name(s: Scanner) -> str:
    name = _any_name(s)
    if not name:
        raise BadParameter("A script needs a name")
    return name


def _any_name(s: Scanner) -> str:
    try:
        name = _argument(s).decode("utf-8")
    except UnicodeDecodeError as bad:
        raise BadParameter("The name is not UTF-8") from bad
    if len(name) > MOST_NAME or _REFUSED.search(name):
        raise BadParameter("That name cannot be used")
    return name


def _authenticate(s: Scanner) -> Authenticate:
    mechanism = _argument(s).decode("ascii", "replace")
    return Authenticate(mechanism, None if s.done else _decoded(_argument(s)))


def _have_space(s: Scanner) -> HaveSpace:
    name = _name(s)
    s.expect(b" ", "a size")
    octets = int(s.match(_NUMBER, "a size")[0])
    if octets > _MOST_NUMBER:
        raise SyntaxFault("a size of 32 bits", s.at)
    return HaveSpace(name, octets)


def _noop(s: Scanner) -> Noop:
    return Noop(None if s.done else _argument(s))


_COMMANDS: dict[bytes, Callable[[Scanner], Command]] = {
    b"AUTHENTICATE": _authenticate,
    b"STARTTLS": lambda s: StartTls(),
    b"LOGOUT": lambda s: Logout(),
    b"CAPABILITY": lambda s: Capability(),
    b"UNAUTHENTICATE": lambda s: Unauthenticate(),
    b"LISTSCRIPTS": lambda s: ListScripts(),
    b"NOOP": _noop,
    b"HAVESPACE": _have_space,
    b"PUTSCRIPT": lambda s: PutScript(_name(s), _argument(s)),
    b"CHECKSCRIPT": lambda s: CheckScript(_argument(s)),
    b"SETACTIVE": lambda s: SetActive(_any_name(s) or None),
    b"GETSCRIPT": lambda s: GetScript(_name(s)),
    b"DELETESCRIPT": lambda s: DeleteScript(_name(s)),
    b"RENAMESCRIPT": lambda s: RenameScript(_name(s), _name(s)),
}
