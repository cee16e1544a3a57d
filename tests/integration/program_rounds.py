"""Programs that log in and send themselves a message, then log in again to read it."""

from __future__ import annotations

from pathlib import Path

from .daemon import Daemon
from .programs import message, run
from .screen import Terminal
from .world import until

CURL = ("curl", "-sS", "-k", "--ssl-reqd")


def swaks_round(daemon: Daemon, user: str, *options: str) -> None:
    """Mail sent by swaks, logged in with `options`, read by nobody."""
    run(
        *("swaks", "-s", "127.0.0.1", "-p", daemon.port("submission"), "-tls"),
        *("--helo", "client.example", "-f", user, "--to", user, *options),
        *("--h-Subject", "By swaks"),
    )


def curl_round(
    daemon: Daemon, user: str, *options: object, env: dict[str, str] | None = None
) -> None:
    """Mail sent and read over POP3 and IMAP by curl, logged in with `options`."""
    port, env = daemon.port, env or {}
    run(
        *(*CURL, f"smtp://localhost:{port('submission')}", *options),
        *("--mail-from", user, "--mail-rcpt", user, "-T", "-"),
        said=message("By curl", sender=user),
        env=env,
    )
    for url in (
        f"pop3://localhost:{port('pop3')}/1",
        f"imap://localhost:{port('imap')}/INBOX;MAILINDEX=1",
    ):
        _, said = run(*CURL, url, *options, env=env)
        assert "Subject: By curl" in said, said


def muttrc(daemon: Daemon, user: str, home: Path, settings: dict[str, str]) -> Path:
    """A file of mutt's that makes it a client of this user's, with `settings`."""
    settings = {
        "smtp_url": f"smtp://{user}@localhost:{daemon.port('submission')}/",
        "imap_user": user,
        "pop_user": user,
        "certificate_file": f"{daemon.folder}/data/tls/self-signed.crt",
        "ssl_starttls": "yes",
        "ssl_force_tls": "yes",
        "from": user,
        "hostname": "example.test",
        "copy": "no",
        "quit": "yes",
        "folder": str(home),
        "tmpdir": str(home),
        **settings,
    }
    path = home / "muttrc"
    path.write_text("".join(f'set {k}="{v}"\n' for k, v in settings.items()))
    return path


def mutt_urls(daemon: Daemon) -> dict[str, str]:
    """Where the mail is, by the log's name of the protocol."""
    return {
        "imap4": f"imap://localhost:{daemon.port('imap')}/INBOX",
        "pop3": f"pop://localhost:{daemon.port('pop3')}",
    }


def mutt_round(
    daemon: Daemon,
    user: str,
    mechanism: str,
    home: Path,
    settings: dict[str, str],
    env: dict[str, str] | None = None,
) -> None:
    """mutt that sends itself a message, and reads it over IMAP and POP3.

    Each login is in the log as one by `mechanism`."""
    log, rc = daemon.log, muttrc(daemon, user, home, settings)
    words, env = ("mutt", "-n", "-F", rc), {"HOME": str(home), **(env or {})}
    said = f"{user} by {mechanism}"
    before = log.read_text().count(said)

    def logged_in(times: int) -> None:
        until(lambda: log.read_text().count(said) >= before + times, log.read_text)

    run(*words, "-s", "By mutt", user, said="Hello.\n", env=env)
    logged_in(1)
    for number, url in enumerate(mutt_urls(daemon).values(), 2):
        with Terminal(*words, "-f", url, env=env, cwd=home) as terminal:
            terminal.wait_for("By mutt")
            terminal.keys("q")
            terminal.wait_for_end()
        logged_in(number)
