"""What of the queue is in memory: a bounded number of messages, shared fairly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

from attrs import define

from ..interfaces import IContent
from .jobs import place_of, source_of
from .model import Crowded, Job, QueuedMessage, QueuedRecipient

Name = TypeVar("Name", bound=Hashable)

MOST_LOADED = 2000  # messages
LEAST_SHARE = 20
TRUSTED_S = 60.0  # after that a look begins at the start again
FEW = 5  # what any source may have for a place that others have crowded


@define(eq=False)
class Loaded:
    """A message with jobs that wait or run; `left` counts them."""

    message: QueuedMessage
    content: IContent
    source: str
    places: frozenset[str]
    left: int = 0


@define(eq=False)
class Work:
    """One job, and the key of the destination by which it is limited."""

    loaded: Loaded
    job: Job
    destination: str


class Looked:
    """Up to when all that is due was found, but for what was crowded.

    So that a place with a hundred thousand messages is not passed over row by row with
    each look for the others'.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self._at_s = self._from_start_s = 0.0
        self._crowded: Crowded | None = None

    def since_s(self, crowded: Crowded, now_s: float) -> float:
        """What is due earlier need not be looked for, in a look without `crowded`."""
        before = self._crowded
        trusted = 0.0 <= now_s - self._from_start_s < TRUSTED_S
        if before is None or not trusted or not crowded.covers(before):
            return 0.0
        return self._at_s

    def found_all(self, crowded: Crowded, since_s: float, now_s: float) -> None:
        """A look at `now_s` found all since then, but for what is `crowded`."""
        if not since_s:
            self._from_start_s = now_s
        self._at_s, self._crowded = now_s, crowded

    def left_out(self, due_s: float) -> None:
        """Something that is due since then was left on disk."""
        if due_s < self._at_s:
            self.forget()


class LoadedMessages:
    """Messages by id.

    A source, or a place that mail goes to, that has many more waiting on disk gets a
    share only, so that there is always room for what comes from or goes to another.
    Of a source only those jobs count that could begin now (`ready`): what waits for a
    slow place is that place's share, and does not hold up the source's other mail.  The
    source of a crowd does not keep others from the place: they may have a few each.
    """

    def __init__(self, most: int = MOST_LOADED) -> None:
        self._most = most
        self._messages: dict[str, Loaded] = {}
        self._places: Counter[str] = Counter()
        self._pairs: Counter[tuple[str, str]] = Counter()  # of source and place
        # Why something was left on disk at the last look, and since.
        self._full = False
        self._full_sources: set[str] = set()
        self._full_places: set[str] = set()

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

    def welcome(
        self,
        message: QueuedMessage,
        recipients: Sequence[QueuedRecipient],
        ready: Mapping[str, int],
    ) -> list[QueuedRecipient]:
        """Those of the recipients for whom the message may be loaded now.

        `ready` counts the jobs of each source that could begin."""
        if self.room <= 0:
            return []
        source = source_of(message)
        if ready.get(source, 0) >= self._source_share:
            self._full_sources.add(source)
            return []
        found, share = [], self._place_share
        for recipient in recipients:
            place = place_of(recipient)
            count = self._places[place]
            few = count < 2 * share and self._pairs[source, place] < FEW
            if count < share or few:
                found.append(recipient)
            else:
                self._full_places.add(place)
        return found

    def crowded(self, ready: Mapping[str, int]) -> Crowded:
        """What has its share, and is left on disk now."""
        most, share = self._source_share, self._place_share
        sources = [source for source, count in ready.items() if count >= most]
        places = {place for place, count in self._places.items() if count >= share}
        full = [place for place in places if self._places[place] >= 2 * share]
        pairs = [
            pair
            for pair, count in self._pairs.items()
            if count >= FEW and pair[1] in places
        ]
        self._full, self._full_sources = False, set(sources)
        self._full_places = places
        return Crowded(sources, full, pairs)

    def wants_more(self, ended: Loaded, ready: Mapping[str, int]) -> bool:
        """True if, as a job of this one ended, there may be room for more."""
        if self._full and not ready and self.room >= LEAST_SHARE:
            return True
        if ended.source in self._full_sources and not ready.get(ended.source):
            return True
        low = self._place_share // 2
        return any(
            place in self._full_places and self._places[place] <= low
            for place in ended.places
        )

    @property
    def _source_share(self) -> int:
        """What one source may have: no more than is left for all others."""
        return max(LEAST_SHARE, self.room)

    @property
    def _place_share(self) -> int:
        """What one place may have: it may be slow, and several may be slow at once."""
        return max(LEAST_SHARE, self.room // 4)

    def add(
        self,
        message: QueuedMessage,
        recipients: Sequence[QueuedRecipient],
        content: IContent,
    ) -> Loaded:
        places = frozenset(map(place_of, recipients))
        loaded = Loaded(message, content, source_of(message), places)
        self._messages[message.queue_id] = loaded
        self._places.update(places)
        self._pairs.update((loaded.source, place) for place in places)
        self._full = self._full or self.room <= 0
        return loaded

    def remove(self, loaded: Loaded) -> None:
        del self._messages[loaded.message.queue_id]
        for place in loaded.places:
            _less(self._places, place)
            _less(self._pairs, (loaded.source, place))


def _less(counts: Counter[Name], name: Name) -> None:
    counts[name] -= 1
    if not counts[name]:
        del counts[name]
