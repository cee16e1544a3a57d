"""A private Postfix: own folders, own address, no DNS, ended by its pid.

postfix = Postfix("mx.p.test", address, port, domains=["p.test"], users=["bob"])
postfix.routes = {"a.test": ("127.0.0.2", 2525)}      # before start()
postfix.start()
postfix.messages("bob@p.test")
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from pwd import getpwnam

from tests.bench.peers import wait_for
from tests.integration.daemon import PASSWORD
from tests.integration.programs import run

SERVICES = """\
rewrite unix - - n - - trivial-rewrite
cleanup unix n - n - 0 cleanup
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
smtp unix - - n - - smtp
virtual unix - n n - - virtual
local unix - n n - - local
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
qmgr unix n - n 300 1 qmgr
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """`main` are further lines of main.cf."""

    def __init__(
        self,
        hostname: str,
        address: str,
        port: int,
        *,
        domains: Sequence[str] = (),
        users: Sequence[str] = (),
        main: str = "",
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mailtwist-postfix-"))
        self.hostname, self.address, self.port = hostname, address, port
        self.domains, self.users, self.main = domains, users, main
        self.routes: dict[str, tuple[str, int]] = {}
        self.log = self.folder / "maillog"
        self._process: subprocess.Popen[bytes] | None = None
        for name in ("etc", "spool", "data", "mail"):
            (self.folder / name).mkdir()
        self.folder.chmod(0o755)
        os.chown(self.folder / "data", getpwnam("postfix").pw_uid, -1)
        os.chown(self.folder / "mail", getpwnam("nobody").pw_uid, -1)

    def start(self) -> None:
        etc, nobody = self.folder / "etc", getpwnam("nobody")
        boxes = [f"{user}@{d} {user}@{d}/" for d in self.domains for user in self.users]
        (etc / "boxes").write_text("\n".join(boxes) + "\n")
        (etc / "routes").write_text(
            "".join(f"{d} smtp:[{a}]:{p}\n" for d, (a, p) in self.routes.items())
        )
        (etc / "main.cf").write_text(f"""
compatibility_level = 3.6
queue_directory = {self.folder}/spool
data_directory = {self.folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = {self.hostname}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtp_bind_address = {self.address}
disable_dns_lookups = yes
smtpd_peername_lookup = no
alias_maps =
local_recipient_maps =
default_transport = error:nothing leaves this host
transport_maps = texthash:{etc}/routes
virtual_mailbox_domains = {", ".join(self.domains)}
virtual_mailbox_base = {self.folder}/mail
virtual_mailbox_maps = texthash:{etc}/boxes
virtual_minimum_uid = 100
virtual_uid_maps = static:{nobody.pw_uid}
virtual_gid_maps = static:{nobody.pw_gid}
smtpd_tls_received_header = yes
maillog_file = {self.log}
maillog_file_prefixes = /tmp, /var/tmp
{self.main}
""")
        listener = f"{self.address}:{self.port} inet n - n - - smtpd\n"
        (etc / "master.cf").write_text(listener + SERVICES)
        run("postfix", "-c", etc, "check")
        with (self.folder / "out").open("ab") as out:
            self._process = subprocess.Popen(
                ["/usr/lib/postfix/sbin/master", "-c", etc, "-d"],
                stdout=out,
                stderr=out,
            )
        wait_for(self.port, self.address)

    def messages(self, address: str) -> list[bytes]:
        """What was delivered to a mailbox here."""
        box = self.folder / "mail" / address / "new"
        return [path.read_bytes() for path in sorted(box.glob("*"))]

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)


class Logins:
    """Dovecot as the source of a Postfix's logins: `lines` are for its main.cf."""

    lines = (
        "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\n"
        "smtpd_sasl_path = private/auth\n"
    )

    def __init__(self, postfix: Postfix, user: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="mailtwist-logins-"))
        self._folder.chmod(0o755)
        private = postfix.folder / "spool/private"
        (self._folder / "users").write_text(f"{user}:{{PLAIN}}{PASSWORD}\n")
        (self._folder / "dovecot.conf").write_text(f"""
base_dir = {self._folder}/run
state_dir = {self._folder}/state
log_path = {self._folder}/log
protocols =
ssl = no
auth_mechanisms = plain login cram-md5 scram-sha-256
passdb {{
  driver = passwd-file
  args = {self._folder}/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}}
service auth {{
  unix_listener {private}/auth {{
    mode = 0666
  }}
}}
""")
        with (self._folder / "out").open("ab") as out:
            self._process = subprocess.Popen(
                ["/usr/sbin/dovecot", "-F", "-c", self._folder / "dovecot.conf"],
                stdout=out,
                stderr=out,
            )

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)
        shutil.rmtree(self._folder, ignore_errors=True)
