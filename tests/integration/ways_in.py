"""The two ways into each service: STARTTLS on its plain port, and implicit TLS.

Each function gives a client for each of them, in this order.  The daemon's certificate
is self-signed, so nobody checks it here (test_certificate.py does).
"""

from __future__ import annotations

import imaplib
import poplib
import smtplib
import ssl

from imapclient import IMAPClient

from tests.integration.daemon import PASSWORD, Daemon

HOST = "127.0.0.1"  # of the daemons that are not told another address
OPEN = ssl._create_unverified_context()


def deliver(daemon: Daemon, user: str, *messages: bytes) -> None:
    """Mail for a user of the daemon, as a stranger's server brings it."""
    with smtplib.SMTP(daemon.address, daemon.port("smtp")) as client:
        for message in messages:
            client.sendmail("carol@example.org", [user], message)


def submission(daemon: Daemon, user: str = "") -> list[smtplib.SMTP]:
    """smtplib's clients; logged in if there is a `user`."""
    starttls = smtplib.SMTP(daemon.address, daemon.port("submission"))
    starttls.starttls(context=OPEN)
    implicit = smtplib.SMTP_SSL(
        daemon.address, daemon.port("submissions"), context=OPEN
    )
    for client in (starttls, implicit):
        if user:
            client.login(user, PASSWORD)
    return [starttls, implicit]


def pop3(daemon: Daemon) -> list[poplib.POP3]:
    """poplib's clients, not logged in: a maildrop lets in one session at a time."""
    stls = poplib.POP3(daemon.address, daemon.port("pop3"))
    stls.stls(OPEN)
    implicit = poplib.POP3_SSL(daemon.address, daemon.port("pop3s"), context=OPEN)
    return [stls, implicit]


def pop3_login(daemon: Daemon, user: str) -> poplib.POP3:
    client = poplib.POP3_SSL(daemon.address, daemon.port("pop3s"), context=OPEN)
    client.user(user)
    client.pass_(PASSWORD)
    return client


def messages(daemon: Daemon, user: str) -> list[bytes]:
    """Every message in the user's INBOX, as octets with CRLF."""
    client = pop3_login(daemon, user)
    count = client.stat()[0]
    got = [b"\r\n".join(client.retr(n + 1)[1]) + b"\r\n" for n in range(count)]
    client.quit()
    return got


def imap(daemon: Daemon, user: str = "") -> list[imaplib.IMAP4]:
    """imaplib's clients; logged in if there is a `user`."""
    starttls = imaplib.IMAP4(daemon.address, daemon.port("imap"))
    starttls.starttls(OPEN)
    implicit = imaplib.IMAP4_SSL(daemon.address, daemon.port("imaps"), ssl_context=OPEN)
    for client in (starttls, implicit):
        if user:
            client.authenticate("PLAIN", lambda _: f"\0{user}\0{PASSWORD}".encode())
    return [starttls, implicit]


def imapclient(daemon: Daemon, user: str) -> list[IMAPClient]:
    """imapclient's clients, logged in."""
    starttls = IMAPClient(daemon.address, daemon.port("imap"), ssl=False)
    starttls.starttls(OPEN)
    implicit = IMAPClient(daemon.address, daemon.port("imaps"), ssl_context=OPEN)
    for client in (starttls, implicit):
        client.plain_login(user, PASSWORD)
    return [starttls, implicit]
