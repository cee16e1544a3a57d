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

    def account(self):
        return USERS[self.sources[0]]

    def test_every_way_in_takes_the_right_password_and_no_other(self):
        user = self.account()
        for way, login in WAYS.items():
            self.assertEqual(login(self.daemon, user, PASSWORD), OK, way)
            self.assertEqual(login(self.daemon, user, PASSWORD + "x"), WRONG, way)
            self.assertEqual(login(self.daemon, "nobody@example.test", "x"), WRONG, way)
            self.assertEqual(login(self.daemon, user, PASSWORD), OK, way)

    def test_mail_arrives_and_is_read(self):
        user = self.account()
        before = len(messages(self.daemon, user))
        deliver(self.daemon, user, b"Subject: to a source\r\n\r\ntext\r\n")
        got = until(lambda: messages(self.daemon, user)[before:])
        self.assertIn(b"Subject: to a source", got[0])

    def test_hostile_names_are_wrong_and_no_fault(self):
        name = self.account().partition("@")[0]
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


class Slow:
    """The servers `slow` are asked first; the file of accounts is as fast as ever."""

    slow = ()

    def many(self):
        """Words by source, and how often each was the answer."""
        began = time.monotonic()
        told, lags = asyncio.run(storm(self.daemon, self.sources))
        words = {}
        for source, word in told:
            counts = words.setdefault(source, {})
            counts[word] = counts.get(word, 0) + 1
        lags.sort()
        print(
            f"\n{len(told)} logins in {time.monotonic() - began:.1f} s: {words}; "
            f"event loop lag: median {lags[len(lags) // 2] * 1000:.1f} ms, "
            f"99% {lags[len(lags) * 99 // 100] * 1000:.1f} ms, "
            f"most {lags[-1] * 1000:.1f} ms"
        )
        self.assertEqual(len(told), LOGINS)
        self.assertLess(lags[-1], MOST_LAG_S)
        self.assertEqual(set(words["userdb"]), {OK})
        for source in self.slow:
            self.assertLessEqual(set(words[source]), {OK, LATER})
        return words

    def everybody_comes_in_again(self):
        for source in self.slow:
            user = USERS[source]
            until(lambda user=user: WAYS["IMAP"](self.daemon, user, PASSWORD) == OK)

    def test_many_logins_wait_for_a_slow_server_and_not_for_each_other(self):
        proxies = [getattr(self.servers, f"{name}_proxy") for name in self.slow]
        try:
            for proxy in proxies:
                proxy.delay_s = 0.1
            self.many()
        finally:
            for proxy in proxies:
                proxy.delay_s = 0.0
        self.everybody_comes_in_again()

    def test_many_logins_while_a_server_hangs(self):
        hung = [getattr(self.servers, name) for name in self.slow]
        try:
            for server in hung:
                server.signal(signal.SIGSTOP)
            words = self.many()
        finally:
            for server in hung:
                server.signal(signal.SIGCONT)
        for source in self.slow:
            self.assertEqual(set(words[source]), {LATER})
        self.everybody_comes_in_again()


class SlowLdapTests(Slow, SourceTestCase):
    slow = ("ldap",)
    sources = ("ldap", "userdb")


class SlowMysqlTests(Slow, SourceTestCase):
    slow = ("mysql",)
    sources = ("mysql", "userdb")


class SlowBothTests(Slow, SourceTestCase):
    slow = ("mysql", "ldap")
    sources = ("mysql", "ldap", "userdb")


async def storm(daemon, sources):
    """(answers, lags in seconds): all logins at once, each source in turn, and a
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
        *(login(sources[number % len(sources)]) for number in range(LOGINS))
    )
    over.set()
    await probing
    return told, lags
