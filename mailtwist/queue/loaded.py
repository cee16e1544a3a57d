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
        share = self._share
        return (
            self.room > 0
            and self._sources[source] < share
            and (not place or self._places[place] < share)
        )

    def crowded(self) -> tuple[list[str], list[str]]:
        """(sources, places) that have their share."""
        share = self._share
        sources = [name for name, count in self._sources.items() if count >= share]
        places = [name for name, count in self._places.items() if count >= share]
        return sources, places

    @property
    def _share(self) -> int:
        """What one may have: no more than is left for all others."""
        return max(LEAST_SHARE, self.room)

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


def _less(counts: Counter[str], name: str) -> None:
    counts[name] -= 1
    if not counts[name]:
        del counts[name]
