"""Arguments as they were written to arguments by name (RFC 5228 §2.6)."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from attrs import evolve

from .check_values import COMPARATORS, ENVELOPE_PARTS, ROLES
from .compiled import Call, Match
from .extensions import TAGS
from .faults import Fault, Place
from .pattern import BadPattern, regex
from .signature import Kind, Parameter, Signature, TagParameter
from .strings import BadCharacter, Template, UnknownNamespace, decoded, template
from .syntax import Argument, Command, Number, Tag, Test, Text, TextList

Taken = int | tuple[Template, ...]


class Wrong(Exception):
    """One mistake, on its way to the list of them."""

    def __init__(self, place: Place, text: str) -> None:
        self.fault = Fault(place, text)
        super().__init__(text)


class Binder:
    """`enabled` are the extensions that were required up to here."""

    def __init__(self, enabled: Collection[str]) -> None:
        self._enabled = enabled

    def bind(self, node: Command | Test, signature: Signature) -> Call:
        """The call without its tests and block.  Raises Wrong."""
        tags: dict[str, Taken | None] = {}
        arguments = node.arguments
        at = 0
        while at < len(arguments):
            tag = arguments[at]
            if not isinstance(tag, Tag):
                break
            at += 1
            parameter = self._tag(node, tag, tags)
            value = None
            if parameter.value is not None:
                if at == len(arguments):
                    raise Wrong(
                        tag.place, f":{tag.name} needs a {parameter.value.value}"
                    )
                value = self._value(arguments[at], parameter, parameter.value)
                at += 1
            tags[tag.name] = value
        wanted = signature.parameters
        if node.name == "redirect" and "list" in tags:  # RFC 6134 §2.4
            wanted = (evolve(wanted[0], role=""),)
        values = self._positional(node, wanted, arguments[at:])
        self._together(node, signature, tags)
        values |= {name: value for name, value in tags.items() if value is not None}
        call = Call(
            node.name,
            node.place,
            frozenset(tags),
            {name: each for name, each in values.items() if isinstance(each, int)},
            {name: each for name, each in values.items() if isinstance(each, tuple)},
            self._match(node, tags) if signature.matching else Match(),
        )
        self._whole(call)
        return call

    # -- tags -----------------------------------------------------------------------

    def _tag(
        self, node: Command | Test, tag: Tag, given: dict[str, Taken | None]
    ) -> TagParameter:
        parameters = TAGS[node.name]
        if tag.name not in parameters:
            raise Wrong(tag.place, f'"{node.name}" has no :{tag.name}')
        parameter, extension = parameters[tag.name]
        if extension and extension not in self._enabled:
            raise Wrong(tag.place, f':{tag.name} needs require "{extension}"')
        if tag.name == "percent" and "spamtestplus" not in self._enabled:
            raise Wrong(tag.place, ':percent needs require "spamtestplus"')
        for other in given:
            if parameters[other][0].one_of == parameter.one_of:
                twice = "twice" if other == tag.name else f"and :{other}"
                raise Wrong(tag.place, f":{tag.name} {twice}")
        return parameter

    def _together(
        self, node: Command | Test, signature: Signature, given: Collection[str]
    ) -> None:
        """What must be there beside what is."""
        for group in signature.one_of:
            names = [
                name
                for name, (tag, _) in TAGS[node.name].items()
                if tag.one_of == group
            ]
            if not set(names) & set(given):
                choice = " or ".join(f":{name}" for name in names)
                raise Wrong(node.place, f'"{node.name}" needs {choice}')
        for name in given:
            needs = TAGS[node.name][name][0].needs
            if needs and needs not in given:
                raise Wrong(node.place, f":{name} needs :{needs}")

    def _match(self, node: Command | Test, tags: dict[str, Taken | None]) -> Match:
        parameters = TAGS[node.name]
        kind = next((n for n in tags if parameters[n][0].one_of == "match"), "is")
        comparator = _word(tags.get("comparator")) or "i;ascii-casemap"
        relation = _word(tags.get(kind)) if kind in ("count", "value") else ""
        needed = f"comparator-{comparator}"
        if comparator not in COMPARATORS[:2] and needed not in self._enabled:
            raise Wrong(node.place, f'this comparator needs require "{needed}"')
        if comparator == "i;ascii-numeric" and kind in ("contains", "matches", "regex"):
            raise Wrong(node.place, f":{kind} does not go with i;ascii-numeric")
        return Match(kind, comparator, relation)

    # -- values ---------------------------------------------------------------------

    def _positional(
        self,
        node: Command | Test,
        wanted: tuple[Parameter, ...],
        given: Sequence[Argument],
    ) -> dict[str, Taken]:
        for argument in given:
            if isinstance(argument, Tag):
                text = f":{argument.name} behind an argument without a tag"
                raise Wrong(argument.place, text)
        if len(given) < len(wanted):
            wanted = tuple(each for each in wanted if not each.optional)
        if len(given) > len(wanted):
            place = given[len(wanted)].place
            raise Wrong(place, f'too many arguments for "{node.name}"')
        if len(given) < len(wanted):
            missing = wanted[len(given)]
            text = f'"{node.name}" needs a {missing.kind.value}, its {missing.name}'
            raise Wrong(node.place, text)
        return {
            each.name: self._value(argument, each, each.kind)
            for each, argument in zip(wanted, given, strict=True)
        }

    def _value(
        self, argument: Argument, wanted: Parameter | TagParameter, kind: Kind
    ) -> Taken:
        match kind, argument:
            case Kind.NUMBER, Number(value):
                if wanted.role == "index" and value < 1:
                    raise Wrong(argument.place, "an index counts from 1")
                return value
            case ((Kind.STRING | Kind.STRINGS), Text()):
                return (self._string(argument, wanted),)
            case Kind.STRINGS, TextList(items):
                return tuple(self._string(item, wanted) for item in items)
            case _:
                text = f"{wanted.name} has to be a {kind.value}"
                raise Wrong(argument.place, text)

    def _string(self, text: Text, wanted: Parameter | TagParameter) -> Template:
        value = text.value
        try:
            if "encoded-character" in self._enabled and "${" in value:
                value = decoded(value)
            made = template(value) if "variables" in self._enabled else value
        except (BadCharacter, UnknownNamespace) as bad:
            raise Wrong(text.place, str(bad)) from None
        if not isinstance(made, str):
            if wanted.constant:
                raise Wrong(text.place, f"{wanted.name} may hold no variables")
            return made
        self._role(text.place, made, wanted.role)
        return made

    def _role(self, place: Place, value: str, role: str) -> None:
        if not role:
            return
        fits, what = ROLES[role]
        if not fits(value):
            raise Wrong(place, f'"{value[:80]}" is not {what}')
        if role == "envelope part":
            needed = ENVELOPE_PARTS[value.lower()]
            if needed and needed not in self._enabled:
                raise Wrong(place, f'"{value}" needs require "{needed}"')

    def _whole(self, call: Call) -> None:
        """What depends on several arguments."""
        if call.match.kind == "regex":
            for key in call.texts.get("keys", ()):
                try:
                    if isinstance(key, str):
                        regex(key, call.match.comparator)
                except BadPattern as bad:
                    raise Wrong(call.place, str(bad)) from None
        if call.name in ("setflag", "addflag", "removeflag", "hasflag"):
            names = call.texts.get("variable") or call.texts.get("variables")
            if names and "variables" not in self._enabled:
                raise Wrong(call.place, 'a variable needs require "variables"')


def _word(taken: Taken | None) -> str:
    """The constant that a tag was given, in lower case."""
    return str(taken[0]).lower() if isinstance(taken, tuple) else ""
