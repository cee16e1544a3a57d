"""Whose job is next: by priority, then sources, destinations and messages in turn.

Pure.  One sender's ten thousand messages do not hold up another's one: each source gets
a turn; within a source each destination, and there each message.  A destination that
takes no more just now is set aside with everything for it, whatever its length.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from typing import Generic, TypeVar

from attrs import define

Item = TypeVar("Item")


@define
class _Lane(Generic[Item]):
    """The jobs of one source to one destination, of one priority."""

    messages: OrderedDict[str, deque[Item]]
    count: int = 0


Key = tuple[int, str]  # -priority and source


class Turns(Generic[Item]):
    """Waiting jobs; those for blocked destinations are not given out."""

    def __init__(self) -> None:
        self.waiting = 0
        self.ready: Counter[str] = Counter()  # jobs that may be next, by source
        self._lanes: dict[str, OrderedDict[Key, _Lane[Item]]] = {}  # by destination
        # -priority -> source -> destinations with room
        self._ready: dict[int, OrderedDict[str, OrderedDict[str, None]]] = {}
        self._blocked: set[str] = set()

    def add(
        self, item: Item, *, priority: int, source: str, destination: str, message: str
    ) -> None:
        """A job waits; higher priorities go first (RFC 6710)."""
        key = (-priority, source)
        lanes = self._lanes.setdefault(destination, OrderedDict())
        lane = lanes.get(key)
        if lane is None:
            lane = lanes[key] = _Lane(OrderedDict())
            if destination not in self._blocked:
                self._make_ready(key, destination)
        lane.messages.setdefault(message, deque()).append(item)
        lane.count += 1
        self.waiting += 1
        if destination not in self._blocked:
            self.ready[source] += 1

    def next(self) -> tuple[str, Item] | None:
        """(destination, job) whose turn it is; None if nothing may begin."""
        for level in sorted(self._ready):
            sources = self._ready[level]
            source, destinations = next(iter(sources.items()))
            destination = next(iter(destinations))
            item = self._pop((level, source), destination)
            if self._ready.get(level) is sources and source in sources:
                sources.move_to_end(source)
                if destination in destinations:
                    destinations.move_to_end(destination)
            return destination, item
        return None

    def block(self, destination: str) -> None:
        """Give out nothing for this destination."""
        if destination not in self._blocked:
            self._blocked.add(destination)
            for key in self._lanes.get(destination, ()):
                self._unready(key, destination)

    def free(self, destination: str) -> None:
        """Give out jobs for it again, the source that waited longest first."""
        if destination in self._blocked:
            self._blocked.discard(destination)
            for key in self._lanes.get(destination, ()):
                self._make_ready(key, destination)

    def blocked(self, destination: str) -> bool:
        return destination in self._blocked

    def has(self, destination: str) -> bool:
        """True if jobs for it wait."""
        return destination in self._lanes

    def take(self, destination: str) -> list[Item]:
        """Every job for a destination, taken out."""
        lanes = self._lanes.get(destination, OrderedDict())
        items: list[Item] = []
        for key, lane in lanes.items():
            self._unready(key, destination)
            for waiting in lane.messages.values():
                items.extend(waiting)
        self._lanes.pop(destination, None)
        self.waiting -= len(items)
        return items

    def take_all(self) -> list[Item]:
        """Every job, taken out."""
        return [item for each in list(self._lanes) for item in self.take(each)]

    # -- the rotation -----------------------------------------------------------------

    def _pop(self, key: Key, destination: str) -> Item:
        lanes = self._lanes[destination]
        lane = lanes[key]
        messages = lane.messages
        message, waiting = next(iter(messages.items()))
        item = waiting.popleft()
        lane.count -= 1
        self.waiting -= 1
        self._less_ready(key[1], 1)
        if waiting:
            messages.move_to_end(message)
        else:
            del messages[message]
        lanes.move_to_end(key)
        if not messages:
            self._unready(key, destination)
            del lanes[key]
            if not lanes:
                del self._lanes[destination]
        return item

    def _make_ready(self, key: Key, destination: str) -> None:
        level, source = key
        sources = self._ready.setdefault(level, OrderedDict())
        sources.setdefault(source, OrderedDict())[destination] = None
        count = self._lanes[destination][key].count
        if count:
            self.ready[source] += count

    def _unready(self, key: Key, destination: str) -> None:
        level, source = key
        sources = self._ready.get(level, OrderedDict())
        destinations = sources.get(source)
        if destinations is None or destination not in destinations:
            return
        del destinations[destination]
        self._less_ready(source, self._lanes[destination][key].count)
        if not destinations:
            del sources[source]
        if not sources:
            del self._ready[level]

    def _less_ready(self, source: str, count: int) -> None:
        self.ready[source] -= count
        if not self.ready[source]:
            del self.ready[source]
