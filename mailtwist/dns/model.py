"""The values of DNS look-ups."""

from __future__ import annotations

from typing import Any

from attrs import frozen


@frozen
class Answer:
    """Records in the form the look-up names, and whether they may be believed.

    `authentic` if the AD bit came from a resolver that is trusted to validate
    (RFC 4035 §3.2.3); `name` is where a chain of CNAME ended, `ttl_s` the least TTL.
    """

    records: tuple[Any, ...]
    authentic: bool = False
    name: str = ""
    ttl_s: float = 0.0
