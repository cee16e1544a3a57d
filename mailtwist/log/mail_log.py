"""One method per event of a mail's life; one line in the log each.

`session` follows a connection, `message` a mail from DATA into the mailbox.  Nothing
here takes a password, a SASL response or message text.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import MailError
from ..trust.model import Decision
from .quick import QuickLogger

log = QuickLogger("mailtwist")


def connected(session: str, protocol: str, peer: str, tls: bool) -> None:
    log.info(
        "{protocol} {session} connect from {peer}{how}",
        session=session,
        protocol=protocol,
        peer=peer,
        tls=tls,
        how=" over TLS" if tls else "",
    )


def disconnected(session: str, protocol: str, why: str) -> None:
    log.info(
        "{protocol} {session} disconnect: {why}",
        session=session,
        protocol=protocol,
        why=why,
    )


def tls_started(session: str, protocol: str, version: str, cipher: str) -> None:
    log.info(
        "{protocol} {session} TLS {version} {cipher}",
        session=session,
        protocol=protocol,
        version=version,
        cipher=cipher,
    )


def proxied(
    session: str, protocol: str, command: str, attributes: dict[str, str]
) -> None:
    """What a trusted proxy told of its client; empty where it knows of nothing."""
    log.info(
        "{protocol} {session} {command} {told}",
        session=session,
        protocol=protocol,
        command=command,
        attributes=attributes,
        told=" ".join(f"{name}={value}" for name, value in attributes.items()),
    )


def bad_action(table: str, key: str, text: str) -> None:
    """An access table whose value is no action: mail waits until that is repaired."""
    log.error(
        "table {table} gives {text!r} for {key!r}, which is no action of an access "
        "table",
        table=table,
        key=key,
        text=text,
    )


def told_by_policy(session: str, word: str, text: str, about: dict[str, str]) -> None:
    """What an access table orders or tells of a message; `about` says whose."""
    tell = log.warn if word == "WARN" else log.info
    tell(
        "{session} policy {word} {text!r} ({told})",
        session=session,
        word=word,
        text=text,
        about=about,
        told=", ".join(f"{name}={said!r}" for name, said in about.items()),
    )


def dns_list_fails(zone: str, text: str) -> None:
    """A list in DNS that says nothing we can use; `text` why."""
    log.warn("DNS list {zone} {text}", zone=zone, text=text)


def greylist_fails(text: str) -> None:
    """The memory of greylisting cannot be asked, so all are let in; `text` why."""
    log.warn("greylisting lets everybody in: {text}", text=text)


def decided(message: str, decisions: Sequence[Decision]) -> None:
    """What the checks of a message said, one line for all."""
    log.info(
        "{message} checked: {told}",
        message=message,
        verdicts=[(one.check, one.verdict) for one in decisions],
        told="; ".join(one.line for one in decisions),
    )


def redirected(message: str, recipient: str) -> None:
    log.info(
        "{message} redirected to <{recipient}>, as policy orders",
        message=message,
        recipient=recipient,
    )


def discarded(message: str, recipients: list[str]) -> None:
    log.info(
        "{message} to <{recipients}> discarded, as policy orders",
        message=message,
        recipients=">, <".join(recipients),
    )


def logged_in(session: str, protocol: str, login: str, mechanism: str) -> None:
    log.info(
        "{protocol} {session} login {login} by {mechanism}",
        session=session,
        protocol=protocol,
        login=login,
        mechanism=mechanism,
    )


def login_failed(
    session: str, protocol: str, login: str, mechanism: str, peer: str, why: str
) -> None:
    log.warn(
        "{protocol} {session} login failed {login!r} by {mechanism} from {peer}: {why}",
        session=session,
        protocol=protocol,
        login=login,
        mechanism=mechanism,
        peer=peer,
        why=why,
    )


def refused(session: str, protocol: str, what: str, fault: MailError) -> None:
    """A command that was answered with a fault worth a line (RCPT, DATA, AUTH)."""
    log.warn(
        "{protocol} {session} refused {what!r}: {status} {public}",
        session=session,
        protocol=protocol,
        what=what,
        status=fault.status,
        public=fault.public,
    )


def accepted(
    session: str,
    protocol: str,
    message: str,
    sender: str,
    recipients: int,
    octets: int,
) -> None:
    log.info(
        "{protocol} {session} {message} accepted from <{sender}> for {recipients}, "
        "{octets} octets",
        session=session,
        protocol=protocol,
        message=message,
        sender=sender,
        recipients=recipients,
        octets=octets,
    )


def delivered(message: str, recipients: list[str]) -> None:
    """One line for all recipients whose copy is durable."""
    log.info(
        "{message} delivered to <{recipients}>",
        message=message,
        recipients=">, <".join(recipients),
    )


def not_delivered(message: str, recipient: str, fault: MailError) -> None:
    log.warn(
        "{message} not delivered to <{recipient}>: {status} {public}",
        message=message,
        recipient=recipient,
        status=fault.status,
        public=fault.public,
    )


def connected_to(host: str, address: str, port: int, tls: str, proof: str) -> None:
    """A connection to another host is ready; `tls` is version and cipher."""
    log.info(
        "connected to {host} ({address}, port {port}){how}",
        host=host,
        address=address,
        port=port,
        tls=tls,
        how=f" over {tls}{proof}" if tls else " without TLS",
    )


def sent(message: str, recipients: list[str], host: str, action: str) -> None:
    """One line for all recipients of one transaction that `host` took."""
    log.info(
        "{message} {action} to <{recipients}>{via}",
        message=message,
        action=action,
        recipients=">, <".join(recipients),
        host=host,
        via=f" by {host}" if host else "",
    )


def put_off(message: str, recipient: str, host: str, why: str, wait_s: float) -> None:
    log.info(
        "{message} to <{recipient}> put off for {wait_s:.0f} s: {why}",
        message=message,
        recipient=recipient,
        host=host,
        why=why,
        wait_s=wait_s,
    )


def given_up(message: str, recipient: str, host: str, why: str) -> None:
    log.warn(
        "{message} to <{recipient}> given up: {why}",
        message=message,
        recipient=recipient,
        host=host,
        why=why,
    )
