"""The state of a run: what all scripts of a message share, and what one script has."""

from __future__ import annotations

from collections.abc import Callable

from ..flags import Flags
from ..mime.part import Part
from .actions import Action, Step
from .circumstances import Circumstances
from .compiled import Call, Program
from .faults import Place
from .limits import Budget, Limits
from .matching import Found, found
from .message import Message
from .questions import Asking, Listed
from .strings import Expansion, Matched, Template


class Scope:
    """One script's own: variables, those it declared global, what it matched last."""

    def __init__(self, program: Program) -> None:
        self.extensions = program.extensions
        self.variables: dict[str, str] = {}
        self.shared: set[str] = set()
        self.matched: Found = ()


class Run:
    """`trace` collects what is done and why, if it is wanted."""

    def __init__(
        self,
        message: Message,
        circumstances: Circumstances,
        limits: Limits,
        known: frozenset[str],
        *,
        trace: bool = False,
    ) -> None:
        self.message, self.circumstances, self.known = message, circumstances, known
        self.budget = Budget(limits)
        self.limits = limits
        self.shared: dict[str, str] = {}  # global variables
        self.flags: Flags = circumstances.flags
        self.actions: list[Action] = []
        self.implicit_keep = True
        self.added_fields = 0
        self.trace: list[Step] | None = [] if trace else None
        self.scope = Scope(Program(()))
        self.included: set[tuple[str, bool]] = set()
        self.running: list[tuple[str, bool]] = []
        self.parts: list[Part] = []  # that foreverypart is at, the innermost last
        self.later: list[Callable[[], None]] = []  # when that is through

    # -- strings --------------------------------------------------------------------

    def text(self, template: Template) -> str:
        """What a string stands for now."""
        if isinstance(template, str):
            return template
        return self._expanded(template)

    def _expanded(self, template: Expansion) -> str:
        made, left = [], self.limits.variable_characters * 4
        for piece in template.pieces:
            if isinstance(piece, str):
                text = piece
            elif isinstance(piece, Matched):
                matched = self.scope.matched
                text = matched[piece.number] if piece.number < len(matched) else ""
            else:
                text = self.variable(piece.name, piece.shared)
            made.append(text[:left])
            left -= len(made[-1])
        self.budget.spend(1 + (self.limits.variable_characters * 4 - left) // 256)
        return "".join(made)

    def one(self, call: Call, name: str, default: str = "") -> str:
        """The value of an argument that is one string."""
        found = call.texts.get(name)
        return default if found is None else self.text(found[0])

    def some(self, call: Call, name: str) -> list[str]:
        """The values of a string list; none if it was not given."""
        return [self.text(each) for each in call.texts.get(name, ())]

    # -- variables ------------------------------------------------------------------

    def variable(self, name: str, shared: bool = False) -> str:
        if shared or name in self.scope.shared:
            return self.shared.get(name, "")
        return self.scope.variables.get(name, "")

    def set(self, name: str, value: str) -> None:
        """Keep a value (RFC 5229 §4); what is too long is cut."""
        name = name.lower()
        shared = name.startswith("global.")
        name = name.removeprefix("global.")
        own = not shared and name not in self.scope.shared
        variables = self.scope.variables if own else self.shared
        value = value[: self.limits.variable_characters]
        if name not in variables and len(variables) >= self.limits.variables:
            raise self.budget.fail("it has too many variables")
        held = sum(map(len, variables.values())) - len(variables.get(name, ""))
        if held + len(value) > self.limits.all_characters:
            raise self.budget.fail("its variables are too large")
        variables[name] = value

    # -- matching -------------------------------------------------------------------

    def matches(
        self,
        call: Call,
        values: list[str],
        *,
        keep: bool = True,
        keys: list[str] | None = None,
    ) -> bool | Asking[bool]:
        """True if one of `values` fits one of the keys of a test, or is in a list that
        they name.

        With `keep` and "variables" what wildcards matched is kept for ${1}."""
        wanted = self.some(call, "keys") if keys is None else keys
        if call.match.kind == "list":
            return self._in_lists(values, wanted, keep)
        groups = found(call.match, values, wanted, self.budget)
        if groups is None:
            return False
        if keep and groups:
            self.keep_match(groups)
        return True

    def _in_lists(
        self, values: list[str], lists: list[str], keep: bool
    ) -> Asking[bool]:
        """RFC 6134 §2.2: what was found is ${0}."""
        if not values:
            return False
        self.budget.spend(100)
        member = yield Listed(tuple(lists), tuple(values))
        if member is None:
            return False
        if keep:
            self.keep_match((str(member),))
        return True

    def keep_match(self, groups: Found) -> None:
        if "variables" in self.scope.extensions:
            most = self.limits.variable_characters
            self.scope.matched = tuple(each[:most] for each in groups)

    # -- actions --------------------------------------------------------------------

    def need_delivery(self, what: str) -> None:
        """Raises ScriptFailed if the message was delivered long ago (RFC 6785 §3.11
        and §4.6)."""
        if self.circumstances.event:
            raise self.budget.fail(f'"{what}" is for mail that comes in')

    def need_whole_header(self) -> None:
        """Raises ScriptFailed if the header cannot be edited."""
        if not self.message.whole_header:
            raise self.budget.fail("the header is too large to be edited")

    def act(self, action: Action) -> None:
        if len(self.actions) >= self.limits.actions:
            raise self.budget.fail("it has too many actions")
        self.actions.append(action)

    def note(self, place: Place, text: Callable[[], str]) -> None:
        """A line of the trace."""
        if self.trace is not None and len(self.trace) < 10_000:
            self.trace.append(Step(place, text()))
