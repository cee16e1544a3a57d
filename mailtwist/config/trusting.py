"""`[trust]` and `[dkim]`: what is believed of mail, and how ours is signed."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

from attrs import frozen

from .checks import between, in_, none_or_ge
from .option import DAY_S, Network, option

LOOPBACK = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))


@frozen(kw_only=True)
class Trust:
    """What is checked of the origin of mail that strangers send."""

    enabled: bool = option(
        True,
        "Check SPF, DKIM, DMARC and ARC of mail from strangers, and write what was "
        "found into Authentication-Results. Logins and `trusted_networks` are not "
        "checked.",
    )
    authserv_id: str = option(
        "",
        "Name in Authentication-Results; `server.hostname` if empty. Servers of one "
        "place that read each other's results have the same.",
    )
    exempt_networks: tuple[Network, ...] = option(
        LOOPBACK,
        "Networks whose mail is not checked: this host, or a backup MX of ours, behind "
        "which nobody can see who sent it.",
        networks=True,
    )
    spf_fail: str = option(
        "mark",
        "Mail that the sender's SPF record forbids (`-all`): `mark` leaves it to "
        "DMARC, as forwarded mail looks the same; `refuse` answers 550 5.7.23.",
        in_(("mark", "refuse")),
    )
    received_spf: bool = option(False, "Write Received-SPF too (RFC 7208 §9.1).")
    dmarc: str = option(
        "apply",
        "What the author's domain asks of mail that fails DMARC: `apply` refuses with "
        "550 5.7.1 or files into Junk, `quarantine` files into Junk only, `mark` only "
        "writes it down.",
        in_(("apply", "quarantine", "mark")),
    )
    organization: str = option(
        "tree",
        "How the domains of one organization are known: `tree` asks DNS upwards "
        "(RFC 9989), `list` uses the public suffix list (RFC 7489).",
        in_(("tree", "list")),
    )
    forwarders: tuple[str, ...] = option(
        (),
        "Domains of forwarders and mailing lists whose ARC seal is believed: what they "
        "say passed DMARC is not refused here, though it was changed on its way.",
        texts=True,
    )
    look_up_s: float = option(
        15.0,
        "How long a message waits for DNS at its end, at most; look-ups begin with "
        "MAIL.",
        between(1, 120),
    )
    look_ups: int = option(
        100, "Look-ups in DNS that one message may cause.", between(20, 1000)
    )
    seal: bool = option(
        True,
        "Seal mail of strangers that goes on to others (aliases, scripts, lists) with "
        "ARC, by a DKIM key of the domain it was for, so that they can know what was "
        "found here.",
    )
    reports: bool = option(
        True, "Send DMARC aggregate reports to domains that ask for them (RFC 9990)."
    )


@frozen(kw_only=True)
class Dkim:
    """Signatures of mail that is written here.

    Keys are made by `mailtwist dkim keygen`; a domain without keys is not signed."""

    enabled: bool = option(
        True, "Sign mail of logins, trusted networks and this server that leaves it."
    )
    expires_s: float = option(
        0.0,
        "How long a signature may be believed (x=), at least as long as mail waits in "
        "queues; for ever if 0.",
        none_or_ge(DAY_S),
    )
