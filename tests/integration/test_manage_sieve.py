"""ManageSieve with real clients: sieve-connect, two libraries, and by hand."""

import random
import smtplib
import ssl
from concurrent.futures import ThreadPoolExecutor

import managesieve
from sievelib.managesieve import Client

from tests.integration import ways_in
from tests.integration.daemon import PASSWORD, DaemonTestCase, free_port
from tests.integration.programs import message
from tests.integration.sieve_wire import Wire, listener, sieve_connect
from tests.integration.world import until

PORT = free_port()
GOOD = 'require "fileinto";\nif true {\n    discard;\n}\n'
BAD = 'keep;\n  fileinto "a";\nnonsense;\n'


class ManageSieveTests(DaemonTestCase):
    extra = f"""
{listener(PORT)}
[sieve]
scripts = 3
script_octets = 4096
"""

    def wire(self):
        wire = Wire(PORT)
        self.addCleanup(wire.close)
        return wire

    def logged_in(self, user):
        wire = self.wire()
        wire.start_tls()
        self.assertEqual(wire.log_in(user), b'OK "logged in"\r\n')
        return wire

    def test_capabilities_change_with_TLS_and_login(self):
        wire = self.wire()
        self.assertIn(b'"STARTTLS"\r\n', wire.greeting)
        self.assertIn(b'"VERSION" "1.0"\r\n', wire.greeting)
        self.assertIn(b'"NOTIFY" "mailto"\r\n', wire.greeting)
        sieve = next(x for x in wire.greeting.split(b"\r\n") if b'"SIEVE"' in x)
        for name in (b"fileinto", b"vacation-seconds", b"comparator-i;ascii-numeric"):
            self.assertIn(name, sieve.strip(b'"').replace(b'"', b" ").split())
        self.assertNotIn(b"PLAIN", wire.greeting)
        secured = wire.start_tls()
        self.assertNotIn(b"STARTTLS", secured)
        self.assertIn(b"PLAIN", secured)
        self.assertTrue(wire.ask(b"LISTSCRIPTS\r\n").startswith(b"NO"))
        user = self.user()
        told = self.logged_in(user).ask(b"CAPABILITY\r\n")
        self.assertIn(b'"OWNER" "%b"\r\n' % user.encode(), told)

    def test_scripts_and_what_is_told_of_them(self):
        wire = self.logged_in(self.user())
        for command, want in [
            (b"LISTSCRIPTS\r\n", b"OK\r\n"),
            (b'CHECKSCRIPT "keep;"\r\n', b'OK "done"\r\n'),
            (
                b"CHECKSCRIPT {%d+}\r\n%b\r\n" % (len(BAD), BAD.encode()),
                b"NO {91}\r\nline 2, column 3: "
                b'"fileinto" needs require "fileinto"\r\n'
                b'line 3, column 1: unknown command "nonsense"\r\n',
            ),
            (b'PUTSCRIPT "a" "keep;"\r\n', b'OK "done"\r\n'),
            (b'PUTSCRIPT "b" "nonsense;"\r\n', b"NO"),
            (b'SETACTIVE "b"\r\n', b"NO (NONEXISTENT)"),
            (b'SETACTIVE "a"\r\n', b"OK"),
            (b"LISTSCRIPTS\r\n", b'"a" ACTIVE\r\nOK\r\n'),
            (b'DELETESCRIPT "a"\r\n', b"NO (ACTIVE)"),
            (b'RENAMESCRIPT "a" "c"\r\n', b"OK"),
            (b'RENAMESCRIPT "a" "d"\r\n', b"NO (NONEXISTENT)"),
            (b'GETSCRIPT "c"\r\n', b"{5}\r\nkeep;\r\nOK\r\n"),
            (b'PUTSCRIPT "d" "keep;"\r\n', b"OK"),
            (b'RENAMESCRIPT "d" "c"\r\n', b"NO (ALREADYEXISTS)"),
            (b'HAVESPACE "e" 4096\r\n', b"OK"),
            (b'HAVESPACE "e" 4097\r\n', b"NO (QUOTA/MAXSIZE)"),
            (b'PUTSCRIPT "e" "keep;"\r\n', b"OK"),
            (b'PUTSCRIPT "f" "keep;"\r\n', b"NO (QUOTA/MAXSCRIPTS)"),
            (b'HAVESPACE "f" 10\r\n', b"NO (QUOTA/MAXSCRIPTS)"),
            (b'PUTSCRIPT "e" "stop;"\r\n', b"OK"),
            (
                b'PUTSCRIPT "e" {9999+}\r\n' + b"#" * 9999 + b"\r\n",
                b"NO (QUOTA/MAXSIZE)",
            ),
            (b'SETACTIVE ""\r\n', b"OK"),
            (b'DELETESCRIPT "c"\r\n', b"OK"),
            (b'NOOP "x"\r\n', b'OK (TAG "x") "done"\r\n'),
            (b"UNAUTHENTICATE\r\n", b"OK"),
            (b"LISTSCRIPTS\r\n", b"NO"),
            (b"LOGOUT\r\n", b"OK"),
        ]:
            told = wire.ask(command)
            if want.startswith(b"NO {91}"):
                want = want.replace(b"{91}", told[3 : told.index(b"\r\n")])
            self.assertTrue(told.startswith(want), (command, told))
        self.assertEqual(wire.file.read(), b"")

    def test_pipelined_commands_are_answered_in_order(self):
        wire = self.logged_in(self.user())
        wire.socket.sendall(
            b'PUTSCRIPT "a" {5+}\r\nkeep;\r\nSETACTIVE "a"\r\nLISTSCRIPTS\r\n'
        )
        self.assertEqual(wire.answer(), b'OK "done"\r\n')
        self.assertEqual(wire.answer(), b'OK "done"\r\n')
        self.assertEqual(wire.answer(), b'"a" ACTIVE\r\nOK\r\n')

    def test_a_guesser_is_cut_off(self):
        wire = self.wire()
        told = [wire.ask(b"NONSENSE\r\n") for _ in range(10)]
        self.assertTrue(told[-1].startswith(b"NO"))
        self.assertIn(b"too many errors", wire.answer())
        self.assertEqual(wire.file.read(), b"")

    def test_what_a_client_puts_holds_for_the_next_mail(self):
        user = self.user()
        wire = self.logged_in(user)
        self.assertEqual(wire.put("a", GOOD.encode()), b'OK "done"\r\n')
        wire.ask(b'SETACTIVE "a"\r\n')
        ways_in.deliver(self.daemon, user, message("gone", user))
        wire.ask(b'SETACTIVE ""\r\n')
        ways_in.deliver(self.daemon, user, message("kept", user))
        (held,) = until(lambda: ways_in.messages(self.daemon, user))
        self.assertIn(b"Subject: kept", held)

    def test_clients_that_change_scripts_at_once_keep_them_whole(self):
        user = self.user()
        wires = [self.logged_in(user) for _ in range(4)]
        allowed = ("OK", "NO (NONEXISTENT)", "NO (ALREADYEXISTS)", "NO (ACTIVE)")

        def changes(number):
            chance, wire, told = random.Random(number), wires[number], []
            for _ in range(40):
                one, other = chance.choices("abcdef", k=2)
                command = chance.choice(
                    (
                        f'PUTSCRIPT "{one}" "# {one} {number}"',
                        f'PUTSCRIPT "{one}" "# {one} {number}"',
                        f'RENAMESCRIPT "{one}" "{other}"',
                        f'DELETESCRIPT "{one}"',
                        f'SETACTIVE "{one}"',
                        'SETACTIVE ""',
                    )
                )
                told.append(wire.ask(command.encode() + b"\r\n").decode())
                listed = wire.ask(b"LISTSCRIPTS\r\n").decode()
                self.assertLessEqual(listed.count(" ACTIVE\r\n"), 1, listed)
                self.assertLessEqual(listed.count("\r\n"), 4, listed)
            return told

        with ThreadPoolExecutor(len(wires)) as pool:
            for told in pool.map(changes, range(len(wires))):
                for answer in told:
                    self.assertTrue(
                        answer.startswith((*allowed, "NO (QUOTA/MAXSCRIPTS)")), answer
                    )
        lists = {wire.ask(b"LISTSCRIPTS\r\n") for wire in wires}
        self.assertEqual(len(lists), 1)
        names = [line[1:2] for line in lists.pop().split(b"\r\n")[:-2]]
        for name in names:
            got = wires[0].ask(b'GETSCRIPT "%b"\r\n' % name)
            self.assertRegex(got, rb"\A\{5\}\r\n# [a-f] [0-3]\r\nOK\r\n\Z")

    def test_sieve_connect(self):
        user = self.user()
        path = self.daemon.folder / "good.sieve"
        path.write_text(GOOD)
        there = ("--remotesieve", "good")
        for more, want in [
            (("--upload", "--localsieve", path, *there), ""),
            (("--activate", *there), ""),
            (("--list",), '"good" ACTIVE'),
            (("--download", *there, "--localsieve", "-"), "discard;"),
            (("--deactivate",), ""),
            (("--delete", *there), ""),
        ]:
            _, told = sieve_connect(PORT, user, *more)
            self.assertIn(want, told)
        self.assertNotIn("good", sieve_connect(PORT, user, "--list")[1])

    def test_sieve_connect_shows_where_a_script_is_wrong(self):
        path = self.daemon.folder / "bad.sieve"
        path.write_text(BAD)
        words = ("--upload", "--localsieve", path, "--remotesieve", "bad")
        status, told = sieve_connect(PORT, self.user(), *words, ok=False)
        self.assertNotEqual(status, 0)
        self.assertIn('line 2, column 3: "fileinto" needs require "fileinto"', told)
        self.assertIn('line 3, column 1: unknown command "nonsense"', told)

    def test_the_library_managesieve(self):
        user = self.user()
        self.patch(ssl, "create_default_context", lambda *_, **__: ways_in.OPEN)
        client = managesieve.MANAGESIEVE("127.0.0.1", PORT, use_tls=True)
        self.assertEqual(client.login("", user, PASSWORD), "OK")
        self.assertEqual(client.putscript("a", GOOD), "OK")
        self.assertEqual(client.putscript("b", BAD), "NO")
        self.assertEqual(client.setactive("a"), "OK")
        self.assertEqual(client.listscripts(), ("OK", [("a", True)]))
        self.assertEqual(client.getscript("a"), ("OK", GOOD))
        self.assertEqual(client.logout(), "OK")

    def test_the_library_sievelib(self):
        user = self.user()
        client = Client("127.0.0.1", PORT)
        self.patch(ssl, "create_default_context", lambda *_, **__: ways_in.OPEN)
        self.assertTrue(client.connect(user, PASSWORD, starttls=True, authmech="PLAIN"))
        self.assertTrue(client.putscript("a", GOOD))
        self.assertFalse(client.putscript("b", BAD))
        self.assertIn(b"line 2, column 3", client.errmsg)
        self.assertTrue(client.setactive("a"))
        self.assertEqual(client.listscripts(), ("a", []))
        client.logout()

    def test_accounts_may_be_kept_out(self):
        user = self.user("--uses", "receive,imap4")
        wire = self.wire()
        wire.start_tls()
        self.assertTrue(wire.log_in(user).startswith(b"NO"))
        with smtplib.SMTP("127.0.0.1", self.daemon.port("smtp")) as client:
            client.sendmail("carol@example.org", [user], message("there", user))
