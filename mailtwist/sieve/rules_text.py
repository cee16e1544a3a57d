"""The readable script that the rules of a page are kept as.

    # rule: Python
    if anyof (header :contains "List-Id" "python-list", not size :under 1M) {
        fileinto :create "Lists/Python";
        stop;
    }

`read` gives back what `written` was given, and None for any other script: one by hand
is never taken for rules, and so never written over as if it were.  A rule that is
switched off is there behind a test that is false.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .faults import ScriptError
from .parser import parse
from .rules import (
    Act,
    Answer,
    Body,
    Condition,
    Discard,
    Exists,
    Fields,
    File,
    Keep,
    Mark,
    Refuse,
    Rule,
    Rules,
    Send,
    Size,
    Today,
    What,
)
from .syntax import Argument, Command, Number, Tag, Test, Text, TextList, printed

HEAD = "# Made from rules.  Whoever changes it by hand has a script of their own.\n"
MARK, THEN = "# rule: ", "# and then\n"

_TRUE, _FALSE, _STOP = Test("true"), Test("false"), Command("stop")


class _Foreign(Exception):
    """Something that `written` does not write."""


# -- rules to a script ----------------------------------------------------------------


def written(rules: Rules) -> str:
    """The script, lines ending in LF."""
    needed: set[str] = set()
    pieces = []
    for rule in rules.rules:
        made = Command(
            "if",
            tests=(_if(rule, needed),),
            block=(
                *(_command(each, needed) for each in rule.actions),
                *((_STOP,) if rule.stops else ()),
            ),
        )
        pieces.append(f"\n{MARK}{rule.name}\n{printed((made,))}")
    if rules.then:
        needed.add("include")
        name = Text(rules.then)
        made = Command("include", (Tag("personal"), Tag("optional"), name))
        pieces.append(f"\n{THEN}{printed((made,))}")
    require = ""
    if needed:
        require = printed((Command("require", (_list(sorted(needed)),)),))
    return "".join((HEAD, require, *pieces))


def _if(rule: Rule, needed: set[str]) -> Test:
    tests = tuple(_condition(each, needed) for each in rule.conditions)
    test = Test(
        "allof" if rule.every else "anyof", tests=tests or (_TRUE,), listed=True
    )
    if rule.enabled:
        return test
    return Test("allof", tests=(_FALSE, test), listed=True)


def _condition(condition: Condition, needed: set[str]) -> Test:
    test = _what(condition.what, needed)
    return Test("not", tests=(test,)) if condition.negated else test


def _what(what: What, needed: set[str]) -> Test:
    match what:
        case Fields(fields, operation, values, ""):
            return Test("header", (Tag(operation), _list(fields), _list(values)))
        case Fields(fields, operation, values, part):
            tags = Tag(part), Tag(operation)
            return Test("address", (*tags, _list(fields), _list(values)))
        case Exists(fields):
            return Test("exists", (_list(fields),))
        case Body(operation, values):
            needed.add("body")
            return Test("body", (Tag("text"), Tag(operation), _list(values)))
        case Size(relation, octets):
            return Test("size", (Tag(relation), Number(octets)))
        case Today(relation, day):
            needed.update(("date", "relational"))
            words = Tag("value"), Text(relation), Text("date"), Text(day)
            return Test("currentdate", words)


def _command(act: Act, needed: set[str]) -> Command:
    match act:
        case File(mailbox, copy):
            needed.update(("fileinto", "mailbox"))
            tags = Tag("create"), *_copy(copy, needed)
            return Command("fileinto", (*tags, Text(mailbox)))
        case Send(address, copy):
            return Command("redirect", (*_copy(copy, needed), Text(address)))
        case Mark(flags):
            needed.add("imap4flags")
            return Command("addflag", (_list(flags),))
        case Keep():
            return Command("keep")
        case Discard():
            return Command("discard")
        case Refuse(reason):
            needed.add("reject")
            return Command("reject", (Text(reason),))
        case Answer(text, days, subject, addresses):
            needed.add("vacation")
            words: list[Argument] = [Tag("days"), Number(days)]
            if subject is not None:
                words += [Tag("subject"), Text(subject)]
            if addresses:
                words += [Tag("addresses"), _list(addresses)]
            return Command("vacation", (*words, Text(text)))


def _copy(copy: bool, needed: set[str]) -> tuple[Tag, ...]:
    if not copy:
        return ()
    needed.add("copy")
    return (Tag("copy"),)


def _list(values: Iterable[str]) -> TextList:
    return TextList(tuple(map(Text, values)))


# -- a script to rules ----------------------------------------------------------------


def read(script: str) -> Rules | None:
    """The rules that a script was made from, with any line ends; None if it was made
    otherwise."""
    script = script.replace("\r\n", "\n")
    if not script.startswith(HEAD):
        return None
    try:
        found = _rules(script)
        return found if written(found) == script else None
    except (ScriptError, ValueError, _Foreign):
        return None


def _rules(script: str) -> Rules:
    lines = script.split("\n")
    rules, then = [], ""
    for command in parse(script.encode("utf-8")):
        match command:
            case Command("require"):
                continue  # it follows from the rest
            case Command("include", (Tag(), Tag(), Text(then))):
                continue
            case Command("if", (), (test,), False, tuple(block)):
                mark = lines[command.place.line - 2]
                if not mark.startswith(MARK):
                    raise _Foreign()
                rules.append(_rule(mark.removeprefix(MARK), test, block))
            case _:
                raise _Foreign()
    return Rules(tuple(rules), then)


def _rule(name: str, test: Test, block: tuple[Command, ...]) -> Rule:
    enabled, stops = True, block[-1:] == (_STOP,)
    if test.tests[:1] == (_FALSE,) and len(test.tests) == 2:
        enabled, test = False, test.tests[1]
    if test.name not in ("allof", "anyof"):
        raise _Foreign()
    return Rule(
        name,
        tuple(_conditions(test.tests)),
        tuple(_act(each) for each in (block[:-1] if stops else block)),
        test.name == "allof",
        stops,
        enabled,
    )


def _conditions(tests: tuple[Test, ...]) -> Iterator[Condition]:
    if tests == (_TRUE,):
        return
    for test in tests:
        if test.name == "not":
            yield Condition(_tested(test.tests[0]), negated=True)
        else:
            yield Condition(_tested(test))


def _tested(test: Test) -> What:
    match test:
        case Test("header", (Tag(operation), TextList() as names, TextList() as keys)):
            return Fields(_texts(names), operation, _texts(keys))
        case Test(
            "address",
            (Tag(part), Tag(operation), TextList() as names, TextList() as keys),
        ):
            return Fields(_texts(names), operation, _texts(keys), part)
        case Test("exists", (TextList() as names,)):
            return Exists(_texts(names))
        case Test("body", (Tag(), Tag(operation), TextList() as keys)):
            return Body(operation, _texts(keys))
        case Test("size", (Tag(relation), Number(octets))):
            return Size(relation, octets)
        case Test("currentdate", (Tag(), Text(relation), Text(), Text(day))):
            return Today(relation, day)
    raise _Foreign()


def _act(command: Command) -> Act:
    match command:
        case Command("fileinto", (Tag(), *tags, Text(mailbox))):
            return File(mailbox, bool(tags))
        case Command("redirect", (*tags, Text(address))):
            return Send(address, bool(tags))
        case Command("addflag", (TextList() as flags,)):
            return Mark(_texts(flags))
        case Command("keep"):
            return Keep()
        case Command("discard"):
            return Discard()
        case Command("reject", (Text(reason),)):
            return Refuse(reason)
        case Command("vacation", (Tag("days"), Number(days), *more, Text(text))):
            subject: str | None = None
            addresses: tuple[str, ...] = ()
            for tag, value in zip(more[::2], more[1::2], strict=True):
                match tag, value:
                    case Tag("subject"), Text(subject):
                        pass
                    case Tag("addresses"), TextList():
                        addresses = _texts(value)
                    case _:
                        raise _Foreign()
            return Answer(text, days, subject, addresses)
    raise _Foreign()


def _texts(listed: TextList) -> tuple[str, ...]:
    return tuple(item.value for item in listed.items)
