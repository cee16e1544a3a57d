"""Tables in MariaDB and LDAP: hostile keys, servers that die, hang and come back."""

import atexit
import signal
from pathlib import Path

from attrs import evolve
from twisted.internet import reactor
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import TestCase

from mailtwist.config.model import Config
from mailtwist.config.routing import Table
from mailtwist.errors import LookupFailed
from mailtwist.tables.build import Tables

from ..authority import Authority, pem_key, pem_of
from .lookup_servers import MariaDb, Slapd

AUTHORITY = Authority()
OTHER = Authority("Another CA")

# What somebody could say in RCPT, or type as a name, to reach more than their own row.
HOSTILE = [
    "' OR '1'='1",
    "' OR 1=1 -- ",
    "x' UNION SELECT 'stolen' -- ",
    "\\' OR 1=1 -- ",
    "\\",
    "'",
    '"',
    '" OR ""="',
    "%",
    "_",
    "%s",
    "%(key)s",
    "x\0' OR '1'='1",
    "\u02bc OR \u02bc1\u02bc=\u02bc1",
    "*",
    "*)(mail=*",
    "x)(|(mail=*)",
    "*)(objectClass=*))(|(cn=*",
    "\\2a",
    "ann@example.test)(mail=*",
    "&",
    "x'; DROP TABLE alias; -- ",
    "ann@example.test' -- ",
    "\u017f",
    "*)(uid=*",
    "*)(uid=*))(|(uid=*",
    "ann)(uid=ann",
    "ann\\2a",
    "ann\\",
    "ann\0",
    "ann)(&",
    "!(uid=bob)",
    "ann,ou=people,dc=test",
    "\uff0a",
    "\uff0a\uff09\uff08uid=\uff0a",
    "\ufe68",
    "\u0430nn",
]
FOUND = "box@else.test"


class Furniture:
    """One server for a class; settings and tables for each test."""

    server = None

    @classmethod
    def begin(cls):
        """The server of the class, started with its first test."""
        if cls.server is None:
            certificate, key = AUTHORITY.issue("127.0.0.1")
            chain = pem_of(certificate) + AUTHORITY.pem
            cls.server = cls.made(chain, pem_key(key), AUTHORITY.pem)
            atexit.register(cls.server.remove)

    def setUp(self):
        self.begin()
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        (self.folder / "ca").write_bytes(AUTHORITY.pem)
        (self.folder / "other").write_bytes(OTHER.pem)
        self.tables = None
        self.events = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    async def tearDown(self):
        await self.close()
        for event in self.events:
            self.assertNotIn("s3cret", repr(event))

    async def close(self):
        if self.tables is not None:
            await self.tables.close()
        self.tables = None

    def table(self, kind, settings, **options):
        path = self.folder / "settings"
        path.write_text(settings)
        path.chmod(0o600)
        table = Table(name="t", kind=kind, source=str(path))
        table = evolve(table, cache_s=0.0, unknown_cache_s=0.0, **options)
        self.tables = Tables(reactor, Config(table=(table,)))
        return self.tables.by_name["t"]

    async def fails(self, table, key="ann@example.test"):
        with self.assertRaises(LookupFailed):
            await table.find(key)

    async def test_hostile_keys_find_nothing(self):
        table = self.usual()
        for key in HOSTILE:
            self.assertIsNone(await table.find(key), key)
        self.assertEqual(await table.find("ann@example.test"), FOUND)

    async def test_a_server_that_died_is_down_and_one_that_came_back_is_asked(self):
        table = self.usual()
        self.assertEqual(await table.find("ann@example.test"), FOUND)
        self.server.kill()
        try:
            await self.fails(table)
            await self.fails(table, "nobody@example.test")
        finally:
            self.server.start()
        self.assertEqual(await table.find("ann@example.test"), FOUND)
        told = [
            e["log_format"] for e in self.events if e["log_namespace"] == "mailtwist"
        ]
        self.assertEqual(
            [text for text in told if "table" in text],
            [
                "table {table} cannot be asked: {why}",
                "table {table} can be asked again",
            ],
        )

    async def test_a_connection_closed_while_idle_is_not_noticed(self):
        table = self.usual()
        await table.find("ann@example.test")
        self.server.kill()
        self.server.start()
        self.assertEqual(await table.find("ann@example.test"), FOUND)

    async def test_a_server_that_hangs_is_not_waited_for(self):
        table = self.usual()
        await table.find("ann@example.test")
        self.server.signal(signal.SIGSTOP)
        try:
            await self.fails(table)
        finally:
            self.server.signal(signal.SIGCONT)
        self.assertEqual(await table.find("ann@example.test"), FOUND)

    async def test_a_wrong_password_is_no_answer(self):
        await self.fails(self.usual(password='"wrong"'))

    async def test_tls_is_checked(self):
        table = self.usual(tls="ca")
        self.assertEqual(await table.find("ann@example.test"), FOUND)
        await self.close()
        await self.fails(self.usual(tls="other"))
        await self.close()
        await self.fails(self.usual(tls="ca", host="localhost"))
        self.assertRegex(str(self.events[-1]["why"]), "(?i)certificate")  # another name

    async def test_many_questions_at_once(self):
        table = self.usual()
        asked = [table.find(f"ann{n}@example.test") for n in range(20)]
        asked.append(table.find("ann@example.test"))
        found = [await one for one in asked]
        self.assertEqual(found[-1], FOUND)
        self.assertEqual(set(found[:-1]), {None})


class MysqlTests(Furniture, TestCase):
    timeout = 120

    @classmethod
    def made(cls, *pems):
        server = MariaDb(*pems)
        server.sql(
            "INSERT INTO mail.alias VALUES ('ann@example.test', 'box@else.test'),"
            "('two@example.test', 'a@x.test'), ('two@example.test', 'b@x.test'),"
            "('j\u00f6rg@example.test', 'J\u00f6rg@x.test'), ('nul@x.test', NULL),"
            "('empty@x.test', ''), ('%', 'stolen'), ('@all.test', 'all@x.test');"
        )
        return server

    def usual(
        self,
        query="SELECT goto FROM alias WHERE address = '%s' AND goto <> 'stolen'",
        password=None,
        tls="",
        more="",
        host="127.0.0.1",
    ):
        ca = f'ca = "{self.folder / tls}"\n' if tls else ""
        return self.table(
            "mysql",
            f'host = "{host}"\nport = {self.server.port}\nuser = "mail"\n'
            f"password = {password or chr(34) + self.server.password + chr(34)}\n"
            f'database = "mail"\ntimeout_s = 1.0\n{ca}{more}',
            query=query,
        )

    async def test_what_is_found(self):
        table = self.usual()
        for key, value, why in [
            ("ANN@example.test", FOUND, "keys are lower case"),
            ("two@example.test", "a@x.test,b@x.test", "several rows"),
            ("j\u00f6rg@example.test", "J\u00f6rg@x.test", "UTF-8"),
            ("nul@x.test", None, "NULL is nothing"),
            ("empty@x.test", None, "so is an empty text"),
            ("nobody@x.test", None, "no row"),
        ]:
            self.assertEqual(await table.find(key), value, why)

    async def test_parts_of_keys(self):
        table = self.usual("SELECT goto FROM alias WHERE address = '%u@%d'")
        self.assertEqual(await table.find("ann@example.test"), FOUND)
        self.assertIsNone(await table.find("ann"))  # has no %d: not asked at all
        await self.close()
        table = self.usual("SELECT goto FROM alias WHERE address LIKE '%%@%d'")
        self.assertEqual(await table.find("x@all.test"), "all@x.test")

    async def test_values_have_a_form(self):
        table = self.usual(more='format = "%u@there.test"\n')
        self.assertEqual(
            await table.find("two@example.test"), "a@there.test,b@there.test"
        )

    async def test_hostile_keys_whatever_the_mode_of_the_server(self):
        self.server.sql("SET GLOBAL sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES'")
        self.addCleanup(self.server.sql, "SET GLOBAL sql_mode = DEFAULT")
        table = self.usual()
        for key in HOSTILE:
            self.assertIsNone(await table.find(key), key)

    async def test_a_query_that_cannot_be_run_is_never_unknown(self):
        await self.fails(self.usual("SELECT x FROM nowhere WHERE y = '%s'"))

    async def test_a_unix_socket_is_enough(self):
        table = self.usual(
            more=f'socket = "{self.server.folder}/sock"\n', host="x.invalid"
        )
        self.assertEqual(await table.find("ann@example.test"), FOUND)

    async def test_the_next_server_is_asked(self):
        table = self.usual(more="")
        await self.close()
        path = self.folder / "settings"
        text = path.read_text().replace('"127.0.0.1"', '"127.9.9.9, 127.0.0.1"')
        table = self.table(
            "mysql", text, query="SELECT goto FROM alias WHERE address='%s'"
        )
        self.assertEqual(await table.find("ann@example.test"), FOUND)


ENTRIES = """
dn: dc=example.test,dc=test
objectClass: domain
dc: example.test

dn: uid=ann,dc=example.test,dc=test
objectClass: inetOrgPerson
uid: ann
cn: ann
sn: ann
mail: ann@example.test
description: box@else.test

dn: uid=two,dc=example.test,dc=test
objectClass: inetOrgPerson
uid: two
cn: two
sn: two
mail: two@example.test
description: a@x.test
description: b@x.test
title: c@x.test

dn: uid=bare,dc=example.test,dc=test
objectClass: inetOrgPerson
uid: bare
cn: bare
sn: bare
mail: bare@example.test
"""


class LdapTests(Furniture, TestCase):
    timeout = 120

    @classmethod
    def made(cls, *pems):
        return Slapd(*pems, ENTRIES)

    def usual(
        self,
        query="(mail=%s)",
        base="dc=test",
        password=None,
        tls="",
        attributes='["description", "title"]',
        more="",
        host="127.0.0.1",
    ):
        ca = f'starttls = true\nca = "{self.folder / tls}"\n' if tls else ""
        return self.table(
            "ldap",
            f'servers = ["ldap://{host}:{self.server.port}"]\n'
            f'bind_dn = "cn=reader,dc=test"\n'
            f"password = {password or chr(34) + self.server.password + chr(34)}\n"
            f'base = "{base}"\nattributes = {attributes}\ntimeout_s = 1.0\n{ca}{more}',
            query=query,
        )

    async def test_what_is_found(self):
        table = self.usual()
        for key, value, why in [
            ("ANN@example.test", FOUND, "an entry"),
            ("two@example.test", "a@x.test,b@x.test,c@x.test", "several values"),
            ("bare@example.test", None, "an entry without the attributes"),
            ("nobody@example.test", None, "no entry"),
        ]:
            self.assertEqual(await table.find(key), value, why)

    async def test_the_base_may_depend_on_the_key(self):
        table = self.usual("(uid=%u)", "dc=%d,dc=test")
        self.assertEqual(await table.find("ann@example.test"), FOUND)
        self.assertIsNone(await table.find("ann@no.test"))  # no such base
        self.assertIsNone(await table.find("ann"))
        for key in ("ann@example.test,dc=test", "ann@*", "ann@x+dc=y", "ann@\\2a"):
            self.assertIsNone(await table.find(key), key)

    async def test_a_base_that_is_missing_is_never_unknown(self):
        await self.fails(self.usual(base="dc=missing,dc=test"))

    async def test_the_scope_is_kept_to(self):
        for scope, value in [("sub", FOUND), ("one", None), ("base", None)]:
            table = self.usual(more=f'scope = "{scope}"\n')
            self.assertEqual(await table.find("ann@example.test"), value)
            await self.close()

    async def test_a_unix_socket_is_enough(self):
        self.usual()
        await self.close()
        text = (self.folder / "settings").read_text()
        url = f"ldap://127.0.0.1:{self.server.port}"
        text = text.replace(url, self.server.unix_url())
        table = self.table("ldap", text, query="(mail=%s)")
        self.assertEqual(await table.find("ann@example.test"), FOUND)

    async def test_the_next_server_is_asked(self):
        self.usual()
        await self.close()
        text = (self.folder / "settings").read_text()
        text = text.replace('["ldap', '["ldap://127.0.0.1:1", "ldap')
        table = self.table("ldap", text, query="(mail=%s)")
        self.assertEqual(await table.find("ann@example.test"), FOUND)

    async def test_without_a_login_nothing_is_read(self):
        table = self.usual()
        await self.close()
        text = (self.folder / "settings").read_text()
        kept = [line for line in text.splitlines() if "bind_dn" not in line]
        table = self.table("ldap", "\n".join(kept), query="(mail=%s)")
        await self.fails(table)
