"""What bounces do to a member: a score, a stop, a probe, the end."""

from __future__ import annotations

from attrs import evolve

from ..config.listing import ListOptions
from ..config.option import DAY_S
from .bounce import HARD, SOFT
from .model import Member

_WEIGHTS = {HARD: 1.0, SOFT: 0.5}


def scored(member: Member, kind: str, options: ListOptions, now_s: float) -> Member:
    """The member after one more report; `stopped` if that was enough.

    What comes on one day counts once, at the worst of it.  Delays count nothing."""
    weight = _WEIGHTS.get(kind, 0.0)
    if not weight or not options.bounce_score or member.stopped:
        return member
    score, since_s, at_s = member.score, now_s - member.scored_s, now_s
    if since_s > options.bounce_forget_s:
        score = 0.0
    elif member.scored_kind and since_s < DAY_S:
        weight -= _WEIGHTS.get(member.scored_kind, 0.0)
        at_s = member.scored_s
    if weight <= 0.0:
        return member
    score += weight
    return evolve(
        member,
        score=score,
        scored_s=at_s,
        scored_kind=kind,
        stopped=score >= options.bounce_score,
    )


def forgiven(member: Member) -> Member:
    """The member as if nothing had come back."""
    return evolve(member, score=0.0, scored_s=0.0, scored_kind="", stopped=False)
