"""What is known before a script runs: the envelope, the time, the place."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from attrs import evolve, field, frozen

from ..address import Address
from ..delivery.model import NO_WISHES, NOTHING_SAID, Notify, Wishes
from ..flags import NONE, Flags


@frozen
class Circumstances:
    """`reverse_path` None is the null path; `recipient` as RCPT had it, with `notify`
    and the `wishes` of MAIL; `separators` part a local part from its detail.

    `now` with the local zone.  `environment` are items of RFC 5183 and others by name.
    `spam_percent` and `virus_level` (1 to 5) are None if nothing was tested.
    `event` if an IMAP client did something to a message that is here, which has the
    `flags` (RFC 6785); else it is being delivered.
    """

    now: datetime
    reverse_path: Address | None = None
    recipient: Address | None = None
    notify: Notify = NOTHING_SAID
    wishes: Wishes = NO_WISHES
    separators: str = "+"
    environment: Mapping[str, str] = field(factory=dict)
    spam_percent: int | None = None
    virus_level: int | None = None
    event: bool = False
    flags: Flags = NONE


def after_event(
    here: Circumstances,
    cause: str,
    mailbox: str,
    *,
    user: str,
    email: str,
    flags: Flags = NONE,
    changed: str = "",
    source: str = "",
) -> Circumstances:
    """Those of a message in `mailbox` that `user` did something to (RFC 6785 §4).

    `changed` names the flags that changed, `source` where a copy came from."""
    items = {
        "location": "MS",
        "phase": "post",
        "imap.user": user,
        "imap.email": email,
        "imap.cause": cause,
        "imap.mailbox": mailbox,
        "imap.changedflags": changed,
        "vnd.mailtwist.mailbox-from": source,
    }
    environment = {**here.environment, **items}
    return evolve(here, event=True, flags=flags, environment=environment)
