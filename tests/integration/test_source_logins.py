"""Logins over SMTP, POP3 and IMAP through each source alone and through a chain of
all, while their servers die, hang and are slow."""

import asyncio
import signal
import time

from .daemon import PASSWORD
from .login_stream import survived
from .source_world import LATER, OK, USERS, WAYS, WRONG, SourceTestCase
from .ways_in import HOST, deliver, messages
from .world import until

CHAIN = ("mysql", "ldap", "dovecot", "courier", "userdb")
LOGINS = 500
MOST_LAG_S = 3.0  # on a machine that does much else


class Alone:
    """What holds for every source, alone."""

    def test_every_way_in_takes_the_right_password_and_no_other(self):
        user = USERS[self.sources[0]]
        for way, login in WAYS.items():
            self.assertEqual(login(self.daemon, user, PASSWORD), OK, way)
            self.assertEqual(login(self.daemon, user, PASSWORD + "x"), WRONG, way)
            self.assertEqual(login(self.daemon, "nobody@example.test", "x"), WRONG, way)
            self.assertEqual(login(self.daemon, user, PASSWORD), OK, way)

    def test_mail_arrives_and_is_read(self):
        user = USERS[self.sources[0]]
        before = len(messages(self.daemon, user))
        deliver(self.daemon, user, b"Subject: to a source\r\n\r\ntext\r\n")
        got = until(lambda: messages(self.daemon, user)[before:])
        self.assertIn(b"Subject: to a source", got[0])

    def test_hostile_names_are_wrong_and_no_fault(self):
        name = USERS[self.sources[0]].partition("@")[0]
        for text, why in [
            ("*)(uid=*", "a filter"),
            ("' OR 1=1 --", "SQL"),
            ("\\", "an escape"),
            ("*", "a pattern"),
            ("%", "another"),
        ]:
            for user in (f"{text}@example.test", f"{name}{text}@example.test"):
                said = WAYS["POP3"](self.daemon, user, PASSWORD)
                self.assertEqual(said, WRONG, why)


class MysqlAloneTests(Alone, SourceTestCase):
    sources = ("mysql",)


class LdapAloneTests(Alone, SourceTestCase):
    sources = ("ldap",)


class PasswdFileAloneTests(Alone, SourceTestCase):
    sources = ("dovecot",)


class CourierFileAloneTests(Alone, SourceTestCase):
    sources = ("courier",)


class UserdbAloneTests(Alone, SourceTestCase):
    sources = ("userdb",)


class ChainTests(SourceTestCase):
    sources = CHAIN

    def test_everybody_comes_in_over_every_way(self):
        for source, user in USERS.items():
            for way, login in WAYS.items():
                told = login(self.daemon, user, PASSWORD)
                self.assertEqual(told, OK, (source, way))
                told = login(self.daemon, user, "wrong")
                self.assertEqual(told, WRONG, (source, way))

    def test_a_killed_server_never_makes_a_password_wrong(self):
        for name in ("mysql", "ldap"):
            server = getattr(self.servers, name)
            self.survived(name, server.kill, server.start)

    def test_a_server_that_hangs_never_makes_a_password_wrong(self):
        for name in ("mysql", "ldap"):
            server = getattr(self.servers, name)
            self.survived(
                name,
                lambda server=server: server.signal(signal.SIGSTOP),
                lambda server=server: server.signal(signal.SIGCONT),
            )

    def test_files_that_vanish_never_make_a_password_wrong(self):
        for name, file in (("dovecot", "users"), ("courier", "userdb")):
            path = self.servers.folder / file
            away = path.with_suffix(".away")
            self.survived(
                name,
                lambda path=path, away=away: path.rename(away),
                lambda path=path, away=away: away.rename(path),
            )

    def survived(self, name, end, begin):
        survived(self, self.daemon, USERS, name, end, begin)


class SlowTests(SourceTestCase):
    """LDAP is slow, and asked first."""

    sources = ("ldap", "userdb")

    def many(self):
        """(words by source, how long the probe's worst answer took)."""
        began = time.monotonic()
        told, lags = asyncio.run(storm(self.daemon))
        words = {}
        for source, word in told:
            counts = words.setdefault(source, {})
            counts[word] = counts.get(word, 0) + 1
        lags.sort()
        print(
            f"\n{LOGINS} logins in {time.monotonic() - began:.1f} s: {words}; "
            f"event loop lag: median {lags[len(lags) // 2] * 1000:.1f} ms, "
            f"99% {lags[len(lags) * 99 // 100] * 1000:.1f} ms, "
            f"most {lags[-1] * 1000:.1f} ms"
        )
        self.assertLess(lags[-1], MOST_LAG_S)
        self.assertEqual(words["userdb"], {OK: LOGINS // 2})
        self.assertLessEqual(set(words["ldap"]), {OK, LATER})
        return words

    def test_many_logins_wait_for_a_slow_server_and_not_for_each_other(self):
        self.servers.ldap_proxy.delay_s = 0.1
        try:
            self.many()
        finally:
            self.servers.ldap_proxy.delay_s = 0.0
        until(lambda: WAYS["IMAP"](self.daemon, USERS["ldap"], PASSWORD) == OK)

    def test_many_logins_while_a_server_hangs(self):
        self.servers.ldap.signal(signal.SIGSTOP)
        try:
            words = self.many()
        finally:
            self.servers.ldap.signal(signal.SIGCONT)
        self.assertEqual(words["ldap"], {LATER: LOGINS // 2})
        until(lambda: WAYS["IMAP"](self.daemon, USERS["ldap"], PASSWORD) == OK)


async def storm(daemon):
    """(answers, lags in seconds): all logins at once, half of each source, and a
    connection that measures how late the event loop answers it."""
    lags, over = [], asyncio.Event()

    async def probe():
        reader, writer = await asyncio.open_connection(HOST, daemon.port("imap"))
        await reader.readline()
        while not over.is_set():
            asked = time.monotonic()
            writer.write(b"a NOOP\r\n")
            await reader.readline()
            lags.append(time.monotonic() - asked)
            await asyncio.sleep(0.02)
        writer.close()

    async def login(source):
        reader, writer = await asyncio.open_connection(HOST, daemon.port("imap"))
        await reader.readline()
        writer.write(f'a LOGIN {USERS[source]} "{PASSWORD}"\r\n'.encode())
        said = (await asyncio.wait_for(reader.readline(), 60)).decode()
        writer.close()
        for text, word in (
            ("a OK", OK),
            ("[UNAVAILABLE]", LATER),
            ("[AUTHENTICATIONFAILED]", WRONG),
        ):
            if text in said:
                return source, word
        return source, said

    probing = asyncio.ensure_future(probe())
    told = await asyncio.gather(
        *(login(source) for _ in range(LOGINS // 2) for source in ("ldap", "userdb"))
    )
    over.set()
    await probing
    return told, lags
