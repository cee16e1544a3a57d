"""Accounts in a private slapd: binds and hashes, groups, hostile names, a tree shaped
like Active Directory's, TLS, servers that die."""

import atexit
import signal
from pathlib import Path

from attrs import evolve
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from mailtwist.address import Address
from mailtwist.config.source import Source
from mailtwist.errors import AuthUnavailable
from mailtwist.interfaces import IMailAccount
from mailtwist.service.auth import build_auth
from tests.auth.rooms import NoMail, configured

from ..authority import pem_key, pem_of
from .lookup_servers import Slapd
from .test_tables import AUTHORITY, HOSTILE, OTHER

READER = "cn=reader,dc=test"
PERSON = """
dn: uid={0},ou=people,dc=test
objectClass: inetOrgPerson
uid: {0}
cn: {0}
sn: {0}
userPassword: {1}
"""
ENTRIES = (
    """
dn: ou=people,dc=test
objectClass: organizationalUnit
ou: people
"""
    + PERSON.format("ann", "pw")
    + "mail: ann@example.test\nemployeeNumber: 1 MiB\nroomNumber: Mail/\n"
    "labeledURI: ann.other@example.test\n"
    + PERSON.format("bob", "{SSHA}K/qCHdTzr1rftXNEV4Ob7XsySBlzYWx0")
    + "mail: bob@example.test\n"
    + PERSON.format("two", "pw")
    + "mail: two@example.test\nmail: zwei@example.test\n"
    + PERSON.format("twin1", "pw")
    + "mail: twin@example.test\n"
    + PERSON.format("twin2", "pw")
    + "mail: twin@example.test\n"
    + PERSON.format("jorg", "p\u00e4ss")
    + "mail: jorg@example.test\n"
    + """
dn: ou=elsewhere,ou=people,dc=test
objectClass: referral
objectClass: extensibleObject
ou: elsewhere
ref: ldap://127.0.0.1:1/ou=people,dc=test

dn: uid=bare,ou=people,dc=test
objectClass: inetOrgPerson
uid: bare
cn: bare
sn: bare
mail: bare@example.test

dn: cn=mail,dc=test
objectClass: groupOfNames
cn: mail
member: uid=ann,ou=people,dc=test
"""
)
USER = """
dn: cn={0},dc=ad
objectClass: user
cn: {0}
sn: {0}
sAMAccountName: {0}
userPrincipalName: {0}@example.test
userAccountControl: {1}
userPassword: pw
"""
AD_ENTRIES = (
    USER.format("ann", 512)
    + "memberOf: cn=mail,dc=ad\naccountExpires: 9223372036854775807\n"
    "proxyAddresses: SMTP:ann@example.test\nproxyAddresses: smtp:a.b@example.test\n"
    + USER.format("off", 514)
    + "memberOf: cn=mail,dc=ad\n"
    + USER.format("old", 512)
    + "memberOf: cn=mail,dc=ad\naccountExpires: 130000000000000000\n"
    + USER.format("out", 512)
)
AD = (
    'base = "dc=ad"\naccount = "(&(objectClass=user)(sAMAccountName=%u))"\n'
    'address = "(|(userPrincipalName=%s@example.test)'
    '(proxyAddresses=smtp:%s@example.test))"\n'
    'fields = ["name=sAMAccountName", "enabled=userAccountControl", '
    '"login_until_s=accountExpires", "send_as=proxyAddresses"]\n'
    'group = "CN=mail, DC=ad"\n'
)
PLAIN = (
    'base = "ou=people,dc=test"\naccount = "(mail=%s)"\n'
    'fields = ["name=mail", "quota=employeeNumber", "mailbox=roomNumber", '
    '"send_as=labeledURI", "password=userPassword"]\n'
)


class LdapSourceTests(TestCase):
    timeout = 120
    server = None

    @classmethod
    def begin(cls):
        if cls.server is None:
            certificate, key = AUTHORITY.issue("127.0.0.1")
            chain = pem_of(certificate) + AUTHORITY.pem
            cls.pems = chain, pem_key(key), AUTHORITY.pem
            cls.server = Slapd(*cls.pems, ENTRIES, AD_ENTRIES)
            atexit.register(cls.server.remove)

    def setUp(self):
        self.begin()
        self.plain = f"ldap://127.0.0.1:{self.server.port}"
        self.secured = f"ldaps://127.0.0.1:{self.server.tls_port}"

    def auth(self, settings=PLAIN, servers=None, reader=READER, **options):
        folder = Path(self.mktemp()).absolute()
        config = configured(folder)
        (folder / "ca").write_bytes(AUTHORITY.pem)
        (folder / "other").write_bytes(OTHER.pem)
        path = folder / "settings"
        urls = ", ".join(f'"{url}"' for url in servers or [self.plain])
        path.write_text(
            f'servers = [{urls}]\nbind_dn = "{reader}"\ntimeout_s = 1\n'
            f'password = "{self.server.password}"\n{settings}'
        )
        path.chmod(0o600)
        options = {"cache_s": 0, "unknown_cache_s": 0, "rest_s": 0.1, **options}
        source = Source(kind="ldap", settings=str(path), **options)
        config = evolve(config, source=(source, Source(kind="userdb")))
        auth = build_auth(reactor=reactor, config=config, store=NoMail())
        self.addCleanup(lambda: Deferred.fromCoroutine(auth.close()))
        return auth

    async def login(self, auth, name="ann@example.test", password=b"pw"):
        credentials = UsernamePassword(name.encode(), password)
        _, avatar, _ = await auth.portal.login(credentials, None, IMailAccount)
        return avatar.account

    async def refused(self, auth, *args, why=None):
        with self.assertRaises(UnauthorizedLogin, msg=why):
            await self.login(auth, *args)

    async def down(self, auth, *args, why=None):
        with self.assertRaises(AuthUnavailable, msg=why):
            await self.login(auth, *args)

    async def test_a_bind_and_the_fields_of_an_entry(self):
        auth = self.auth()
        account = await self.login(auth, "Ann@Example.test")
        self.assertEqual(account.name, "ann@example.test")
        self.assertEqual(account.storage_limit_octets, 1024 * 1024)
        self.assertTrue(account.mailbox_path.endswith("/Mail/"))
        self.assertEqual(account.send_as, {"ann.other@example.test"})
        for name, password, why in [
            ("ann@example.test", b"wrong", "a wrong password"),
            ("ann@example.test", b"", "none (RFC 4513 §5.1.2)"),
            ("ann@example.test", b"pw\0", "more than the password"),
            ("ann@example.test", b"s3cret pass", "the password of the reader"),
            ("bare@example.test", b"pw", "an entry without a password"),
            ("bare@example.test", b"", "nor is an empty one right"),
            ("nobody@example.test", b"pw", "nobody"),
            ("twin@example.test", b"pw", "two entries"),
        ]:
            await self.refused(auth, name, password, why=why)
        found = await auth.directory.account_for(Address("ann", "example.test"))
        self.assertEqual(found, account)

    async def test_an_entry_with_two_names_is_a_fault_and_not_two_accounts(self):
        await self.down(self.auth(), "two@example.test")

    async def test_referrals_are_not_followed(self):
        """One lies in the tree that every search here goes through."""
        base = 'base = "ou=elsewhere,ou=people,dc=test"\n'
        auth = self.auth(base + PLAIN.partition("\n")[2])
        await self.down(auth, why="nobody knows whether it is there")
        await self.login(self.auth())

    async def test_passwords_beyond_ascii(self):
        auth = self.auth()
        for password, why in [
            ("p\u00e4ss", "as it is kept"),
            ("pa\u0308ss", "as another system types it"),
            ("p\u00e4\u00ads\uff53", "as SASLprep knows it"),
        ]:
            account = await self.login(auth, "jorg@example.test", password.encode())
            self.assertEqual(account.name, "jorg@example.test", why)
        await self.refused(auth, "jorg@example.test", "\u00ad".encode())
        await self.refused(auth, "jorg@example.test", b"p\xe4ss")

    async def test_hashes_need_a_reader_who_may_see_them(self):
        text = PLAIN + 'verify = "hash"\nscheme = "PLAIN"\n'
        await self.refused(self.auth(text))
        auth = self.auth(text, reader="cn=admin,dc=test")
        for name, password in [
            ("ann", b"pw"),
            ("bob", b"pw"),
            ("jorg", b"p\xc3\xa4ss"),
        ]:
            await self.login(auth, f"{name}@example.test", password)
            await self.refused(auth, f"{name}@example.test", b"wrong")
        for name in ("ann", "bob", "bare", "nobody"):
            for password in (b"", b"{SSHA}", b"\0"):
                await self.refused(auth, f"{name}@example.test", password)

    async def test_a_group_is_needed(self):
        auth = self.auth(
            PLAIN
            + 'group_filter = "(&(objectClass=groupOfNames)(cn=mail)(member=%D))"\n'
            'group_base = "dc=test"\n'
        )
        await self.login(auth)
        await self.refused(auth, "jorg@example.test", "p\u00e4ss".encode())
        self.assertIsNone(
            await auth.directory.account_for(Address("jorg", "example.test"))
        )

    async def test_a_tree_like_active_directorys(self):
        auth = self.auth(AD, names="local", domains=("example.test",))
        account = await self.login(auth, "ANN@example.test")
        self.assertEqual(account.name, "ann@example.test")
        self.assertEqual(account.send_as, {"ann@example.test", "a.b@example.test"})
        self.assertIsNone(account.login_until_s)
        for name, why in [
            ("off@example.test", "ACCOUNTDISABLE"),
            ("old@example.test", "expired"),
            ("out@example.test", "in no group"),
        ]:
            await self.refused(auth, name, why=why)
        found = await auth.directory.account_for(Address("a.b", "example.test"))
        self.assertEqual(found.name, "ann@example.test")

    async def test_a_user_principal_name_is_a_name(self):
        settings = AD.replace("(sAMAccountName=%u)", "(userPrincipalName=%s)")
        settings = settings.replace("name=sAM", "name=userPrincipalName#sAM")
        settings = settings.replace("#sAMAccountName", "")
        account = await self.login(self.auth(settings))
        self.assertEqual(account.name, "ann@example.test")

    async def test_hostile_names_and_passwords_get_nobody_in(self):
        plain = self.auth()
        local = self.auth(AD, names="local", domains=("example.test",))
        for auth in (plain, local):
            for text in HOSTILE:
                await self.refused(auth, f"{text}@example.test", why=repr(text))
                await self.refused(auth, f"ann{text}@example.test", why=repr(text))
                await self.refused(auth, text, why=repr(text))
                await self.refused(auth, "ann@example.test", text.encode())
            await self.login(auth)

    async def test_tls_is_verified(self):
        for settings, servers, why in [
            ('ca = "ca"\n', [self.secured], "ldaps"),
            ('ca = "ca"\nstarttls = true\n', [self.plain], "StartTLS"),
        ]:
            account = await self.login(self.auth(PLAIN + settings, servers))
            self.assertEqual(account.name, "ann@example.test", why)
        for settings, url, why in [
            ('ca = "other"\n', self.secured, "another CA"),
            ('ca = "other"\nstarttls = true\n', self.plain, "for StartTLS too"),
            ('ca = "ca"\n', self.secured.replace("127.0.0.1", "localhost"), "name"),
            ('ca = "ca"\n', f"ldaps://127.0.0.1:{self.server.port}", "no TLS there"),
        ]:
            await self.down(self.auth(PLAIN + settings, [url]), why=why)

    async def test_the_next_server_is_asked(self):
        auth = self.auth(servers=["ldap://127.0.0.1:1", self.plain])
        for _ in range(2):
            await self.login(auth)

    async def test_the_next_server_is_asked_when_one_dies(self):
        other = Slapd(*self.pems, ENTRIES)
        self.addCleanup(other.remove)
        auth = self.auth(servers=[f"ldap://127.0.0.1:{other.port}", self.plain])
        await self.login(auth)
        other.kill()
        for _ in range(3):
            await self.login(auth)
            await self.refused(auth, "ann@example.test", b"wrong")

    async def test_the_next_server_is_asked_when_one_hangs(self):
        other = Slapd(*self.pems, ENTRIES)
        self.addCleanup(other.remove)
        auth = self.auth(servers=[f"ldap://127.0.0.1:{other.port}", self.plain])
        await self.login(auth)
        other.signal(signal.SIGSTOP)
        await self.login(auth)
        self.server.kill()
        try:
            other.signal(signal.SIGCONT)
            await self.up_again(auth)
        finally:
            self.server.start()

    async def test_a_server_that_was_restarted_meanwhile_is_not_noticed(self):
        auth = self.auth()
        await self.login(auth)
        self.server.kill()
        self.server.start()
        await self.login(auth)

    async def test_a_reader_who_is_not_let_in_is_no_wrong_password(self):
        for reader in ("cn=nobody,dc=test", "uid=ann,ou=people,dc=test", ""):
            await self.down(self.auth(reader=reader), why=reader)

    async def test_a_server_that_dies_or_hangs_is_never_a_wrong_password(self):
        auth = self.auth()
        await self.login(auth)
        for end, begin in [
            (self.server.kill, self.server.start),
            (
                lambda: self.server.signal(signal.SIGSTOP),
                lambda: self.server.signal(signal.SIGCONT),
            ),
        ]:
            end()
            try:
                for password in (b"pw", b"wrong"):
                    await self.down(auth, "ann@example.test", password)
            finally:
                begin()
            await self.up_again(auth)

    async def up_again(self, auth):
        for _ in range(200):
            try:
                return await self.login(auth)
            except AuthUnavailable:
                await deferLater(reactor, 0.05)
        raise AssertionError("it is still down")

    async def test_many_at_once(self):
        auth = self.auth()
        accounts = await gatherResults(
            [Deferred.fromCoroutine(self.login(auth)) for _ in range(100)]
        )
        self.assertEqual({one.name for one in accounts}, {"ann@example.test"})
