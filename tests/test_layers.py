"""The floors of docs/architecture.md, kept true: imports only point down."""

import ast
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parent.parent / "mailtwist"

# Longest prefix wins.  A module may import its own floor and those below.
FLOORS = {
    "__init__": 0,
    "errors": 0,
    "wire": 0,
    "address": 0,
    "seqset": 0,
    "flags": 0,
    "secret": 0,
    "search_key": 0,
    "sort_key": 0,
    "host_port": 0,
    "shared_places": 4,
    "given_up": 4,
    "shielded": 3,
    "config": 0,
    "config.load": 4,
    "config.keys": 4,
    "config.edit": 4,
    "config.reference": 4,
    "config.wiring": 0,
    "mailbox.model": 0,
    "mailbox.special_uses": 0,
    "directory.model": 0,
    "directory.ldap_url": 1,
    "delivery.model": 0,
    "sasl.model": 0,
    "mime": 1,
    "smtp": 1,
    "smtp.engine": 2,
    "smtp.data": 2,
    "smtp.bdat": 2,
    "smtp.session": 3,
    "smtp.asked": 3,
    "smtp.authorship": 3,
    "smtp.checked": 3,
    "smtp.burl": 3,
    "smtp.judging": 3,
    "smtp.ordered": 3,
    "smtp.rooms": 3,
    "smtp.transaction": 3,
    "smtp.server": 4,
    "smtp.factory": 4,
    "smtp.client": 4,
    "smtp.client_command": 1,
    "smtp.client_dane": 4,
    "smtp.client_engine": 2,
    "smtp.client_login": 4,
    "smtp.client_offer": 1,
    "smtp.client_pool": 4,
    "smtp.client_reply": 1,
    "smtp.client_stuffing": 1,
    "smtp.client_token": 4,
    "smtp.client_tls": 4,
    "smtp.convert": 4,
    "smtp.convert_plan": 1,
    "smtp.transport": 4,
    "smtp.transport_look": 3,
    "smtp.transport_plan": 3,
    "smtp.transport_session": 4,
    "smtp.transport_smarthost": 4,
    "dialogue": 4,
    "pop3": 1,
    "pop3.engine": 2,
    "pop3.session": 3,
    "pop3.maildrop": 3,
    "pop3.server": 4,
    "imap4": 1,
    "imap4.engine": 2,
    "imap4.selected": 2,
    "imap4.session": 3,
    "imap4.appending": 3,
    "imap4.url_content": 3,
    "imap4.url_access": 3,
    "imap4.cmd": 3,
    "imap4.server": 4,
    "imap4.factory": 4,
    "imap4.client": 4,
    "manage_sieve": 1,
    "manage_sieve.engine": 2,
    "manage_sieve.session": 3,
    "manage_sieve.server": 4,
    "sasl": 2,
    "sieve": 1,
    "sieve.answers": 3,
    "sieve.plan": 3,
    "sieve.event_plan": 3,
    "sieve.commit": 3,
    "sieve.events": 4,
    "sieve.delivery": 4,
    "sieve.kept": 4,
    "sieve.programs": 4,
    "interfaces": 3,
    "mailbox.interfaces": 3,
    "mailbox.held_rights": 3,
    "foreign": 3,
    "log": 3,
    "eager": 3,
    "log.setup": 4,
    "auth": 3,
    "auth.checkers": 4,
    "auth.shared_counters": 4,
    "mailbox": 3,
    "delivery": 3,
    "policy": 3,
    "policy.actions": 1,
    "policy.faults": 1,
    "policy.orders": 0,
    "policy.dmarc_reports": 4,
    "policy.dmarc_store": 4,
    "policy.greylist_store": 4,
    "policy.greylist": 4,
    "policy.shared_rate": 4,
    "trust": 1,
    "trust.model": 0,
    "delivery.alias_grammar": 1,
    "delivery.agent_append": 4,
    "delivery.agent_command": 1,
    "delivery.agent_pipe": 4,
    "delivery.agent_process": 4,
    "delivery.agent_user": 4,
    "delivery.explain": 1,
    "delivery.dkim_keys": 4,
    "delivery.forward": 1,
    "delivery.keys": 1,
    "delivery.lists": 4,
    "delivery.routes": 0,
    "delivery.sorted": 1,
    "delivery.srs": 1,
    "delivery.srs_store": 4,
    "tables": 4,
    "tables.regexp": 1,
    "tables.lines": 1,
    "tables.query": 1,
    "queue.model": 0,
    "queue": 3,
    "queue.spool": 4,
    "queue.tls_store": 4,
    "queue.https": 4,
    "queue.sts_policies": 4,
    "queue.tls_reports": 4,
    "queue.admin": 4,
    "queue.pickup": 4,
    "queue.drop": 4,
    "dns.model": 0,
    "dns": 4,
    "keeper": 4,
    "lmtp": 4,
    "directory": 4,
    "store": 4,
    "carry": 4,
    "backup": 4,
    "carry.model": 3,
    "lists": 1,
    "lists.model": 0,
    "lists.plan": 0,
    "lists.pages": 1,
    "lists.interfaces": 3,
    "lists.writer": 3,
    "lists.desk": 3,
    "lists.desk_posts": 3,
    "lists.desk_commands": 3,
    "lists.desk_bounces": 3,
    "lists.apply": 4,
    "lists.archive": 4,
    "lists.clerk": 4,
    "lists.names": 4,
    "lists.outbox": 4,
    "lists.policies": 4,
    "lists.transport": 4,
    "lists.archive_index": 4,
    "lists.chores": 4,
    "lists.statements": 4,
    "lists.store": 4,
    "service": 5,
    "tap": 6,
    "cli": 6,
}
IO = {
    "asyncio",
    "os",
    "random",
    "select",
    "socket",
    "sqlite3",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "twisted",
    "OpenSSL",
}


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and parts[:-1] else parts)


def floor_of(module):
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        floor = FLOORS.get(".".join(parts[:length]))
        if floor is not None:
            return floor
    raise AssertionError(f"{module} stands on no floor: name it in FLOORS")


def imports(path):
    """(our module or None, other top-level name or None) for each import of a file."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            module = [*base, node.module] if node.module else [*base]
            for alias in node.names:
                yield ours([*module, alias.name]), None
        elif isinstance(node, ast.ImportFrom):
            if node.module.split(".")[0] == "mailtwist":
                yield from (
                    (ours([*node.module.split(".")[1:], a.name]), None)
                    for a in node.names
                )
            else:
                yield None, node.module.split(".")[0]
        elif isinstance(node, ast.Import):
            yield from ((None, a.name.split(".")[0]) for a in node.names)


def ours(parts):
    """The module that `from ...parts[:-1] import parts[-1]` reads."""
    for length in (len(parts), len(parts) - 1):
        path = ROOT.joinpath(*parts[:length])
        if path.with_suffix(".py").exists() or (path / "__init__.py").exists():
            return ".".join(parts[:length]) or "__init__"
    return "__init__"


class LayerTests(SynchronousTestCase):
    def test_imports_point_down(self):
        for path in sorted(ROOT.rglob("*.py")):
            me = name_of(path)
            for module, _ in imports(path):
                if module is not None and module != "__init__":
                    self.assertGreaterEqual(
                        floor_of(me), floor_of(module), f"{me} imports {module}"
                    )

    def test_floors_0_to_2_do_no_io(self):
        for path in sorted(ROOT.rglob("*.py")):
            me = name_of(path)
            if floor_of(me) <= 2:
                for _, theirs in imports(path):
                    self.assertNotIn(theirs, IO, f"{me} imports {theirs}")

    def test_a_file_is_one_idea(self):
        for path in sorted(ROOT.rglob("*.py")):
            lines = len(path.read_text().splitlines())
            self.assertLessEqual(lines, 500, f"{name_of(path)} is two ideas")
