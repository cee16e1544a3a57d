"""THREAD (RFC 5256 §3): messages in trees of who answers whom.

Nothing here recurses, as a thread may be as deep as a mailbox is long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from attrs import define, field, frozen

from ..sort_key import ThreadAlgorithm
from .turns import Turns, chunks

_STEP_US = 2.0  # about what one message costs in one step


@frozen
class Threaded:
    """What threading looks at in one message.

    `sent` is seconds since 1970 UTC; `subject` is the base subject as it
    is compared and `reply` what `base_subject` told; `references` has the parent last.
    """

    uid: int
    message_id: bytes | None
    references: tuple[bytes, ...]
    sent: float
    subject: str
    reply: bool


@define(eq=False)
class Node:
    """A message in its thread; `message` None is a place that only others refer to.

    `children` is a dict for its order and for taking one out at once.
    """

    message: Threaded | None = None
    parent: Node | None = None
    children: dict[Node, None] = field(factory=dict)


async def threads(
    algorithm: ThreadAlgorithm, messages: list[Threaded], turns: Turns
) -> list[Node]:
    """The heads of the threads, in order; `messages` come in mailbox order."""
    if algorithm is ThreadAlgorithm.ORDEREDSUBJECT:
        return await _by_subject(messages, turns)
    heads = await _pruned(await _linked(messages, turns), turns)
    if algorithm is ThreadAlgorithm.REFS:
        order = await _sort_all(heads, turns)
        latest = await _latest(order, turns)
        await turns.sort(heads, latest.__getitem__)
        return heads
    await turns.sort(heads, _sent)
    heads = await _merged(heads, turns)
    await _sort_all(heads, turns)
    await turns.sort(heads, _sent)
    return heads


async def _by_subject(messages: list[Threaded], turns: Turns) -> list[Node]:
    """ORDEREDSUBJECT: the oldest of a subject with all others as its children."""
    heads: dict[str, Node] = {}
    ordered = messages[:]
    await turns.sort(ordered, lambda one: (one.sent, one.uid))
    for some in chunks(ordered):
        for message in some:
            node = Node(message)
            head = heads.setdefault(message.subject, node)
            if head is not node:
                head.children[node] = None
        await turns.spent(len(some) * _STEP_US)
    return list(heads.values())


# -- REFERENCES: step 1 -----------------------------------------------------------


async def _linked(messages: list[Threaded], turns: Turns) -> list[Node]:
    """All nodes, linked as far as nothing loops."""
    known: dict[bytes, Node] = {}
    nodes: list[Node] = []

    def named(message_id: bytes) -> Node:
        node = known.get(message_id)
        if node is None:
            node = known[message_id] = Node()
            nodes.append(node)
        return node

    for message in messages:
        node = named(message.message_id) if message.message_id else None
        if node is None or node.message is not None:
            node = Node()
            nodes.append(node)
        node.message = message
        steps = 1
        last: Node | None = None
        for reference in message.references:
            one = named(reference)
            if last is not None and one.parent is None:
                steps += _link(last, one)
            last = one
            steps += 1
        if node.parent is not None:
            del node.parent.children[node]
            node.parent = None
        if last is not None:
            steps += _link(last, node)
        await turns.spent(steps * _STEP_US)
    return nodes


def _link(parent: Node, child: Node) -> int:
    """Unless it would loop; the steps it took to see that."""
    steps = 0
    if child.children:
        above: Node | None = parent
        while above is not None and above is not child:
            above, steps = above.parent, steps + 1
        if above is child:
            return steps
    if parent is not child:
        child.parent = parent
        parent.children[child] = None
    return steps


# -- steps 2 and 3 ----------------------------------------------------------------


async def _pruned(nodes: list[Node], turns: Turns) -> list[Node]:
    """The heads, without empty places; one is left where several have no other head."""
    roots = [node for node in nodes if node.parent is None]
    for some in chunks(await _deepest_first(roots, turns)):
        for node in some:
            if any(child.message is None for child in node.children):
                node.children = dict.fromkeys(_lifted(node.children))
        await turns.spent(len(some) * _STEP_US)
    heads: list[Node] = []
    for node in roots:
        if node.message is not None or len(node.children) > 1:
            heads.append(node)
        else:
            heads += node.children
    return heads


def _lifted(children: Iterable[Node]) -> Iterator[Node]:
    for child in children:
        if child.message is None:
            yield from child.children
        else:
            yield child


async def _deepest_first(heads: Iterable[Node], turns: Turns) -> list[Node]:
    """All nodes, each behind everything below it."""
    found: list[Node] = []
    left = list(heads)
    while left:
        node = left.pop()
        found.append(node)
        left += node.children
        if len(found) % 1000 == 0:
            await turns.spent(1000 * _STEP_US)
    found.reverse()
    return found


# -- step 5 -----------------------------------------------------------------------


async def _merged(heads: list[Node], turns: Turns) -> list[Node]:
    """Threads of one subject put together; `heads` are sorted by sent date."""
    table: dict[str, Node] = {}
    for some in chunks(heads):
        for head in some:
            _enter(table, head)
        await turns.spent(len(some) * _STEP_US)
    left = dict.fromkeys(heads)
    for some in chunks(heads):
        for head in some:
            subject = _first(head).subject
            other = table.get(subject) if subject else None
            if other is not None and other is not head:
                _merge(table, left, head, other)
        await turns.spent(len(some) * _STEP_US)
    return list(left)


def _enter(table: dict[str, Node], head: Node) -> None:
    """Into the table of the heads that others of their subject are put to."""
    subject = _first(head).subject
    if not subject:
        return
    known = table.get(subject)
    if known is None or (
        known.message is not None
        and (head.message is None or (_is_reply(known) and not _is_reply(head)))
    ):
        table[subject] = head


def _merge(
    table: dict[str, Node], left: dict[Node, None], head: Node, other: Node
) -> None:
    """`head` is put to `other`, which stands in the table for its subject."""
    del left[head]
    if other.message is None:
        other.children |= head.children if head.message is None else {head: None}
    elif _is_reply(head) and not _is_reply(other):
        other.children[head] = None
    else:
        both = Node(children={other: None, head: None})
        table[_first(head).subject] = both
        del left[other]
        left[both] = None


def _is_reply(node: Node) -> bool:
    return node.message is not None and node.message.reply


def _first(node: Node) -> Threaded:
    """The message itself, or for an empty place its first child by sent date."""
    if node.message is not None:
        return node.message
    return min(
        (child.message for child in node.children if child.message is not None),
        key=lambda one: (one.sent, one.uid),
    )


# -- steps 4 and 6 ----------------------------------------------------------------


def _sent(node: Node) -> tuple[float, int]:
    first = _first(node)
    return first.sent, first.uid


async def _sort_all(heads: Iterable[Node], turns: Turns) -> list[Node]:
    """Each set of siblings below the heads; all nodes, each behind those below it."""
    order = await _deepest_first(heads, turns)
    for some in chunks(order):
        for node in some:
            if len(node.children) > 1:
                node.children = dict.fromkeys(sorted(node.children, key=_sent))
        await turns.spent(len(some) * _STEP_US)
    return order


async def _latest(order: list[Node], turns: Turns) -> dict[Node, tuple[float, int]]:
    """For each node the newest message below it or itself."""
    newest: dict[Node, tuple[float, int]] = {}
    for some in chunks(order):
        for node in some:
            own = [] if node.message is None else [_sent(node)]
            newest[node] = max(own + [newest[child] for child in node.children])
        await turns.spent(len(some) * _STEP_US)
    return newest


# -- how it is told ---------------------------------------------------------------


async def written(
    heads: Iterable[Node], number: Callable[[int], int | None], turns: Turns
) -> bytes:
    """thread-list of RFC 5256 §5 for each head; `number` gives what stands for a UID,
    None if it is not to be told."""
    told: list[bytes] = []
    for head in heads:
        before = len(told)
        left: list[bytes | Node] = [b")", head, b"("]
        while left:
            one = left.pop()
            if isinstance(one, bytes):
                told.append(one)
                continue
            here = None if one.message is None else number(one.message.uid)
            if here is not None:
                told.append(b"%d" % here)
                if one.children:
                    told.append(b" ")
            if len(one.children) == 1:
                left += one.children
            else:
                for child in reversed(one.children):
                    left += [b")", child, b"("]
        await turns.spent((len(told) - before) * _STEP_US / 4)
    return b"".join(told)
