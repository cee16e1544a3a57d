"""The content of a message brought into the form that a host can take (RFC 6152 §3)."""

from __future__ import annotations

from ..interfaces import IContent
from .convert_plan import Needs
from .transport_look import Look


async def converted(look: Look, needs: Needs) -> IContent:
    """The content as the host needs it."""
    return look.content
