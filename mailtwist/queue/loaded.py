"""What of the queue is in memory: a bounded number of messages, shared fairly."""

from __future__ import annotations

from collections import Counter

from attrs import define

from ..interfaces import IContent
from .jobs import place_of_all, source_of
from .model import Job, QueuedMessage, QueuedRecipient

MOST_LOADED = 2000  # messages
LEAST_SHARE = 20


@define(eq=False)
class Loaded:
    """A message with jobs that wait or run; `left` counts them."""

    message: QueuedMessage
    content: IContent
    source: str
    place: str
    left: int = 0


@define(eq=False)
class Work:
    """One job, and the key of the destination by which it is limited."""

    loaded: Loaded
    job: Job
    destination: str


class LoadedMessages:
    """Messages by id.

    A source, or a place that mail goes to, that has many more waiting on disk gets a
    share only, so that there is always room for what comes from or goes to another.
    """

    def __init__(self, most: int = MOST_LOADED) -> None:
        self._most = most
        self._messages: dict[str, Loaded] = {}
        self._sources: Counter[str] = Counter()
        self._places: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._messages)

    def __contains__(self, queue_id: str) -> bool:
        return queue_id in self._messages

    @property
    def ids(self) -> list[str]:
        return list(self._messages)

    @property
    def room(self) -> int:
        return self._most - len(self._messages)

    def has_room_for(self, source: str, place: str) -> bool:
        """True if one more from there and to there is fair."""
        return (
            self.room > 0
            and self._sources[source] < _share(self._sources, self._most)
            and (not place or self._places[place] < _share(self._places, self._most))
        )

    def crowded(self) -> tuple[list[str], list[str]]:
        """(sources, places) that have their share."""
        return _full(self._sources, self._most), _full(self._places, self._most)

    def add(
        self,
        message: QueuedMessage,
        recipients: list[QueuedRecipient],
        content: IContent,
    ) -> Loaded:
        source, place = source_of(message), place_of_all(recipients)
        loaded = Loaded(message, content, source, place)
        self._messages[message.queue_id] = loaded
        self._sources[source] += 1
        if place:
            self._places[place] += 1
        return loaded

    def remove(self, loaded: Loaded) -> None:
        del self._messages[loaded.message.queue_id]
        _less(self._sources, loaded.source)
        if loaded.place:
            _less(self._places, loaded.place)


def _share(counts: Counter[str], most: int) -> int:
    return max(LEAST_SHARE, most // (1 + len(counts)))


def _full(counts: Counter[str], most: int) -> list[str]:
    share = _share(counts, most)
    return [name for name, count in counts.items() if count >= share]


def _less(counts: Counter[str], name: str) -> None:
    counts[name] -= 1
    if not counts[name]:
        del counts[name]
