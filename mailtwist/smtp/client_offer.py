"""What a server's answer to EHLO offers (RFC 5321 §4.1.1.1)."""

from __future__ import annotations

from attrs import frozen

from .client_reply import PeerReply


@frozen
class PeerOffer:
    """Upper-case keywords with the words behind them; none after HELO."""

    extensions: dict[str, tuple[str, ...]]

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.extensions

    @property
    def size_octets(self) -> int:
        """The largest message the server takes; 0 if it does not say (RFC 1870 §4)."""
        return self._number(self.extensions.get("SIZE", ()))

    @property
    def mechanisms(self) -> tuple[str, ...]:
        return tuple(word.upper() for word in self.extensions.get("AUTH", ()))

    @property
    def least_by_s(self) -> int:
        """The least time to deliver that the server promises (RFC 2852)."""
        return self._number(self.extensions.get("DELIVERBY", ()))

    def limit(self, name: str) -> int:
        """A limit such as MAILMAX or RCPTMAX (RFC 9422); 0 if the server tells none."""
        for word in self.extensions.get("LIMITS", ()):
            key, _, value = word.partition("=")
            if key.upper() == name:
                return self._number((value,))
        return 0

    @staticmethod
    def _number(words: tuple[str, ...]) -> int:
        word = words[0] if words else ""
        return int(word) if word.isascii() and word.isdigit() and len(word) < 20 else 0


NO_OFFER = PeerOffer({})


def peer_offer(reply: PeerReply) -> PeerOffer:
    """From the reply to EHLO or LHLO; its first line is a greeting."""
    extensions: dict[str, tuple[str, ...]] = {}
    for line in reply.lines[1:]:
        keyword, *words = line.replace("=", " ", 1).split() or [""]
        if keyword.upper() != "AUTH":  # "AUTH=PLAIN" is what very old servers say
            keyword, *words = line.split() or [""]
        if not keyword:
            continue
        keyword = keyword.upper()
        known = extensions.get(keyword, ())
        extensions[keyword] = known + tuple(w for w in words if w not in known)
    return PeerOffer(extensions)
