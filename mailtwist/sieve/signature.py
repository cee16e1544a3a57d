"""What a command or test may be given: the words of the table in `extensions`."""

from __future__ import annotations

from enum import Enum

from attrs import frozen


class Kind(Enum):
    """The type of an argument; STRINGS takes a single string too."""

    NUMBER = "number"
    STRING = "string"
    STRINGS = "string-list"


class Tests(Enum):
    """How many tests a command or test takes."""

    NONE = "none"
    ONE = "test"
    LIST = "test-list"


@frozen
class Parameter:
    """A positional argument.

    `role` names what its value has to be (`check_values.ROLES`), "" for anything.  With
    `constant` it may hold no variables.
    """

    name: str
    kind: Kind
    role: str = ""
    optional: bool = False
    constant: bool = False


@frozen
class TagParameter:
    """A tagged argument, `value` what follows it.

    Of a `group` only one may be given; `needs` is a tag that must be there as well.
    """

    name: str
    value: Kind | None = None
    group: str = ""
    role: str = ""
    constant: bool = False
    needs: str = ""

    @property
    def one_of(self) -> str:
        return self.group or self.name


@frozen
class Signature:
    """A command or test.

    `one_of` are groups of tags of which one must be given; `matching` takes match types
    and comparators.
    """

    name: str
    parameters: tuple[Parameter, ...] = ()
    tags: tuple[TagParameter, ...] = ()
    one_of: tuple[str, ...] = ()
    matching: bool = False
    test: bool = False
    tests: Tests = Tests.NONE
    block: bool = False


@frozen
class Extension:
    """What a `require` brings: its RFC (0 for a draft), and what it adds.

    `adds` are tags for commands of others, by their name; MATCHING for all that match.
    """

    name: str
    rfc: int
    does: str
    signatures: tuple[Signature, ...] = ()
    adds: tuple[tuple[str, tuple[TagParameter, ...]], ...] = ()


MATCHING = "*"


def of_copies(tag: TagParameter) -> tuple[tuple[str, tuple[TagParameter, ...]], ...]:
    """What adds a tag to the actions that may file what they send (RFC 8580)."""
    return (("vacation", (tag,)), ("notify", (tag,)))
