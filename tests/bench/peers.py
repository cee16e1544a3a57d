"""Postfix and Dovecot as private peers of a benchmark: own folders, own ports."""

from __future__ import annotations

import imaplib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from tests.integration.daemon import DOMAIN, PASSWORD, free_port

READY_S = 20.0

Found = TypeVar("Found")


def wait_for(port: int, address: str = "127.0.0.1") -> None:
    """Until somebody greets on the port."""
    end = time.monotonic() + READY_S
    while True:
        try:
            with socket.create_connection((address, port), 1) as probe:
                probe.settimeout(2)
                if probe.recv(1):
                    return
        except OSError:
            if time.monotonic() > end:
                raise
        time.sleep(0.05)


class Peer:
    """A process in the foreground with a folder of its own, ended by its pid."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mailtwist-bench-"))
        self.port = free_port()

    def run(self, *arguments: object) -> None:
        with (self.folder / "out").open("ab") as out:
            self.process = subprocess.Popen(
                [str(a) for a in arguments], stdout=out, stderr=out, cwd=self.folder
            )
        wait_for(self.port)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)


class Postfix(Peer):
    """smtpd, cleanup, qmgr and virtual into Maildirs of `users`; no DNS.

    `main` are more lines of main.cf, `master` of master.cf; "{folder}" in them is its
    folder, in which `files` are put."""

    def __init__(
        self,
        users: list[str],
        main: str = "",
        master: str = "",
        files: Mapping[str, bytes] = MappingProxyType({}),
    ) -> None:
        super().__init__()
        for name in ("etc", "spool", "data", "mail"):
            (self.folder / name).mkdir()
        os.chmod(self.folder, 0o755)
        subprocess.run(["chown", "postfix", self.folder / "data"], check=True)
        subprocess.run(["chown", "nobody", self.folder / "mail"], check=True)
        nobody = subprocess.run(
            ["id", "-u", "nobody"], check=True, capture_output=True, text=True
        ).stdout.strip()
        for name, octets in files.items():
            (self.folder / name).write_bytes(octets)
        (self.folder / "etc/boxes").write_text(
            "".join(f"{user} {user.partition('@')[0]}/\n" for user in users)
        )
        (self.folder / "etc/main.cf").write_text(f"""
compatibility_level = 3.6
queue_directory = {self.folder}/spool
data_directory = {self.folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.{DOMAIN}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
disable_dns_lookups = yes
smtpd_peername_lookup = no
alias_maps =
local_recipient_maps =
default_transport = error:nothing leaves a benchmark
virtual_mailbox_domains = {DOMAIN}
virtual_mailbox_base = {self.folder}/mail
virtual_mailbox_maps = texthash:{self.folder}/etc/boxes
virtual_minimum_uid = 100
virtual_uid_maps = static:{nobody}
virtual_gid_maps = static:65534
in_flow_delay = 0
maillog_file = {self.folder}/maillog
maillog_file_prefixes = /tmp, /var/tmp
{main.replace("{folder}", str(self.folder))}
""")
        services = (
            "cleanup rewrite:trivial-rewrite bounce defer:bounce error retry:error"
        )
        lines = [f"127.0.0.1:{self.port} inet n - n - - smtpd"]
        lines += ["qmgr unix n - n 300 1 qmgr", "virtual unix - n n - - virtual"]
        lines += ["anvil unix - - n - 1 anvil", "postlog unix-dgram n - n - 1 postlogd"]
        for service in services.split():
            name, _, program = service.partition(":")
            private = "n" if name == "cleanup" else "-"
            lines.append(f"{name} unix {private} - n - 0 {program or name}")
        lines.append(master.replace("{folder}", str(self.folder)))
        (self.folder / "etc/master.cf").write_text("\n".join(lines) + "\n")
        etc = self.folder / "etc"
        subprocess.run(
            ["postfix", "-c", etc, "check"], check=True, stderr=subprocess.DEVNULL
        )
        self.run("/usr/lib/postfix/sbin/master", "-c", etc, "-d")


class Dovecot(Peer):
    """IMAP and POP3 on Maildirs under `mail`; passwords in clear, as ours is asked.

    `more` are further lines of its configuration."""

    def __init__(self, mail: Path, users: list[str], more: str = "") -> None:
        super().__init__()
        self.pop3_port = free_port()
        os.chmod(self.folder, 0o755)
        (self.folder / "users").write_text(
            "".join(f"{user}:{{PLAIN}}{PASSWORD}\n" for user in users)
        )
        (self.folder / "dovecot.conf").write_text(f"""
base_dir = {self.folder}/run
state_dir = {self.folder}/state
log_path = {self.folder}/log
protocols = imap pop3
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:~/Maildir
first_valid_uid = 100
namespace inbox {{
  inbox = yes
}}
passdb {{
  driver = passwd-file
  args = {self.folder}/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={mail}/%n
}}
service imap-login {{
  inet_listener imap {{
    port = {self.port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {self.pop3_port}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
{more}
""")
        self.run("/usr/sbin/dovecot", "-F", "-c", self.folder / "dovecot.conf")


def as_dovecot(
    home: Path, user: str, more: str, work: Callable[[imaplib.IMAP4], Found]
) -> Found:
    """What `work` finds as an IMAP client of a Dovecot that has the home of `user` for
    so long; `more` as in Dovecot."""
    subprocess.run(["chown", "-R", "nobody:nogroup", home], check=True)
    dovecot = Dovecot(home.parent, [user], more)
    try:
        client = imaplib.IMAP4("127.0.0.1", dovecot.port, timeout=30)
        client.login(user, PASSWORD)
        found = work(client)
        client.logout()
        return found
    finally:
        dovecot.stop()


class DovecotLmtp(Peer):
    """LMTP into Maildirs under `folder`/mail, on `port` and a Unix socket."""

    def __init__(self, users: list[str]) -> None:
        super().__init__()
        os.chmod(self.folder, 0o755)
        (self.folder / "mail").mkdir()
        subprocess.run(["chown", "nobody", self.folder / "mail"], check=True)
        (self.folder / "users").write_text(
            "".join(
                f"{user}::65534:65534::{self.folder}/mail/{user.partition('@')[0]}\n"
                for user in users
            )
        )
        self.socket = self.folder / "lmtp"
        (self.folder / "dovecot.conf").write_text(f"""
base_dir = {self.folder}/run
state_dir = {self.folder}/state
log_path = {self.folder}/log
protocols = lmtp
listen = 127.0.0.1
ssl = no
mail_location = maildir:~/Maildir
first_valid_uid = 100
postmaster_address = postmaster@{DOMAIN}
passdb {{
  driver = passwd-file
  args = {self.folder}/users
}}
userdb {{
  driver = passwd-file
  args = {self.folder}/users
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {self.port}
  }}
  unix_listener {self.socket} {{
    mode = 0666
  }}
}}
""")
        self.run("/usr/sbin/dovecot", "-F", "-c", self.folder / "dovecot.conf")


class DovecotSasl(Peer):
    """Checks passwords for a Postfix: `smtpd_sasl_path` is inet:127.0.0.1:`port`."""

    mechanisms = "plain login cram-md5 scram-sha-1 scram-sha-256"

    def __init__(self, users: list[str]) -> None:
        super().__init__()
        os.chmod(self.folder, 0o755)
        (self.folder / "users").write_text(
            "".join(f"{user}:{{PLAIN}}{PASSWORD}\n" for user in users)
        )
        (self.folder / "dovecot.conf").write_text(f"""
base_dir = {self.folder}/run
state_dir = {self.folder}/state
log_path = {self.folder}/log
protocols =
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = {self.mechanisms}
passdb {{
  driver = passwd-file
  args = {self.folder}/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={self.folder}
}}
service auth {{
  inet_listener {{
    address = 127.0.0.1
    port = {self.port}
  }}
}}
""")
        self.run("/usr/sbin/dovecot", "-F", "-c", self.folder / "dovecot.conf")


class SmtpSink(Peer):
    """Postfix's smtp-sink: takes every message and forgets it; `options` are its."""

    def __init__(self, *options: str) -> None:
        super().__init__()
        sink, place = "/usr/sbin/smtp-sink", f"127.0.0.1:{self.port}"
        self.run(sink, "-u", "nobody", "-c", *options, place, "200")

    def taken(self) -> int:
        """Messages so far, by the counter that it prints."""
        counts = (self.folder / "out").read_bytes().rpartition(b"mesg=")[2]
        return int(counts.split()[0]) if counts else 0
