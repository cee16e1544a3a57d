"""A daemon with accounts of real users of this machine, in a private MariaDB."""

from __future__ import annotations

from tests.integration import test_tables
from tests.integration.daemon import DOMAIN, PASSWORD, Daemon
from tests.integration.users import User, Users

CONFIG = """
[[source]]
kind = "mysql"
settings = "settings"
cache_s = {cache_s}
unknown_cache_s = 0
[[source]]
kind = "userdb"
[alias]
forward_commands = true
commands = true
files = ["aliases"]
command_user = "{command_user}"
[queue]
first_retry_s = 0.5
most_retry_s = 1
[process]
user = "{server}"
[agents]
idle_s = 3
"""
SCHEMA = """
USE mail;
CREATE TABLE IF NOT EXISTS users (name VARCHAR(200) PRIMARY KEY, password VARCHAR(200),
  uid INT, gid INT, home VARCHAR(200), mailbox VARCHAR(200));
"""
ACCOUNT = "SELECT name, password, uid, gid, home, mailbox FROM users WHERE name = '%s'"


class SystemDaemon(Daemon):
    """With the users' table in a MariaDB; what it says counts `cache_s`.

    It is started by root, and becomes `server`."""

    def __init__(self, users: Users, cache_s: float = 0, more: str = "") -> None:
        self.users, self.admin, self.server = users, users.add(), users.add()
        test_tables.MysqlTests.begin()
        self.mysql = test_tables.MysqlTests.server
        self.mysql.sql(SCHEMA)
        super().__init__(
            CONFIG.format(
                command_user=self.admin.name, server=self.server.name, cache_s=cache_s
            )
            + more
        )
        self.folder.chmod(0o711)  # as /var/lib is
        (self.folder / "ca").write_bytes(test_tables.AUTHORITY.pem)
        (self.folder / "aliases").touch()
        settings = self.folder / "settings"
        settings.write_text(
            f'port = {self.mysql.port}\nuser = "mail"\ndatabase = "mail"\n'
            f'password = "{self.mysql.password}"\nca = "ca"\naccount = "{ACCOUNT}"\n'
        )
        settings.chmod(0o600)
        for name in ("ca", "aliases", "settings"):
            self.server.give(self.folder / name)

    def add(self, mailbox: str = "") -> tuple[User, str]:
        """A user of the machine with an account; and its name."""
        user = self.users.add()
        name = self._insert(user.name, f"{user.uid}, {user.gid}", user.home, mailbox)
        return user, name

    def add_plain(self, local_part: str) -> str:
        """An account of the same source whose mail is the server's; its name."""
        return self._insert(local_part, "NULL, NULL", f"plain/{local_part}", "")

    def _insert(self, local_part: str, ids: str, home: object, mailbox: str) -> str:
        name = f"{local_part}@{DOMAIN}"
        self.mysql.sql(
            f"USE mail; INSERT INTO users VALUES ('{name}', '{{PLAIN}}{PASSWORD}',"
            f" {ids}, '{home}', '{mailbox}');"
        )
        return name

    def logged(self) -> str:
        return self.log.read_text(errors="replace")
