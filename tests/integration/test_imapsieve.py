"""Scripts on what real IMAP clients do: put by sieve-connect and sievelib, run by an
IMAPClient, for accounts of the server and for users of this machine."""

import atexit
import os
import socket
import ssl

from sievelib.managesieve import Client
from twisted.trial.unittest import SynchronousTestCase

from tests.integration import ways_in
from tests.integration.daemon import PASSWORD, DaemonTestCase, free_port
from tests.integration.programs import message
from tests.integration.sieve_wire import Wire, listener, sieve_connect
from tests.integration.system_daemon import SystemDaemon
from tests.integration.users import Users
from tests.integration.world import until

PORT, SYSTEM_PORT = free_port(), free_port()
INVOICES = """require ["imapsieve", "environment", "imap4flags", "fileinto", "mailbox"];
if environment "imap.cause" ["APPEND", "COPY"] {
    addflag "$Invoice";
    if header :contains "subject" "paid" { fileinto :create "Paid"; }
}
"""


class ImapSieveTests(DaemonTestCase):
    extra = f"""
{listener(PORT)}
[[imap_event]]
mailbox = "\\\\Junk"
causes = ["APPEND", "COPY"]
before = ["was-spam.sieve"]

[[imap_event]]
mailbox = "*"
source = "\\\\Junk"
causes = ["COPY"]
before = ["was-no-spam.sieve"]
"""

    def client(self, user):
        """Logged in over TLS."""
        starttls, client = ways_in.imapclient(self.daemon, user)
        starttls.logout()
        self.addCleanup(client.shutdown)
        return client

    def name(self, client, mailbox, script):
        client._imap.xatom(
            "SETMETADATA", mailbox, f'(/shared/imapsieve/script "{script}")'
        )

    def flags(self, client, mailbox):
        client.select_folder(mailbox)
        found = client.fetch(client.search(), ["FLAGS"])
        return [
            {flag.decode() for flag in one[b"FLAGS"]} - {"\\Recent"}
            for _, one in sorted(found.items())
        ]

    def test_a_script_put_by_sieve_connect_acts_on_a_mailbox(self):
        user = self.user()
        client = self.client(user)
        url = f"IMAPSIEVE=SIEVE://MAIL.EXAMPLE.TEST:{PORT}"
        self.assertIn(url.encode(), client.capabilities())
        path = self.daemon.folder / "invoices.sieve"
        path.write_text(INVOICES)
        sieve_connect(
            *(PORT, user, "--localsieve", str(path), "--remotesieve", "invoices"),
            "--upload",
        )
        client.create_folder("Invoices")
        self.name(client, "Invoices", "invoices")
        client.append("Invoices", message("one", user))
        client.append("INBOX", message("two", user))
        client.append("INBOX", message("three is paid", user))
        client.select_folder("INBOX")
        client.move([1], "Invoices")
        client.copy([2], "Invoices")
        flags = [{"$Invoice"}, {"$Invoice"}, {"\\Deleted"}]
        self.assertEqual(self.flags(client, "Invoices"), flags)
        self.assertEqual(self.flags(client, "Paid"), [{"$Invoice"}])
        client.select_folder("Invoices")
        client.add_flags([1], ["\\Flagged"])
        self.assertEqual(self.flags(client, "Invoices")[0], {"$Invoice", "\\Flagged"})

    def test_a_script_put_by_sievelib_sends_mail(self):
        user, other = self.user(), self.user()
        sieve = Client("127.0.0.1", PORT)
        self.patch(ssl, "create_default_context", lambda *_, **__: ways_in.OPEN)
        self.assertTrue(sieve.connect(user, PASSWORD, starttls=True, authmech="PLAIN"))
        script = (
            'require ["imapsieve", "enotify", "imap4flags", "environment"];\n'
            'if allof (hasflag "\\\\Flagged",'
            ' environment :contains "imap.changedflags" "\\\\Flagged") {\n'
            f' redirect "{other}";\n}}\n'
        )
        self.assertTrue(sieve.putscript("flagged", script))
        sieve.logout()
        client = self.client(user)
        self.name(client, '""', "flagged")
        client.append("INBOX", message("a star", user))
        client.select_folder("INBOX")
        client.add_flags([1], ["\\Seen"])
        client.add_flags([1], ["\\Flagged"])
        self.assertEqual(
            self.flags(client, "INBOX"), [{"\\Seen", "\\Flagged", "\\Deleted"}]
        )
        (arrived,) = until(
            lambda: ways_in.messages(self.daemon, other),
            lambda: self.daemon.log.read_text()[-2000:],
        )
        self.assertIn(b"Return-Path: <%s>" % user.encode(), arrived)
        self.assertIn(b"Subject: a star", arrived)

    def test_the_server_learns_what_is_moved_into_junk_and_out_of_it(self):
        user, spam, ham = self.user(), self.user(), self.user()
        for name, learner in (("was-spam", spam), ("was-no-spam", ham)):
            (self.daemon.folder / f"{name}.sieve").write_text(
                f'require ["imapsieve", "copy"]; redirect :copy "{learner}";'
            )
        client = self.client(user)
        client._imap.xatom("CREATE", "Spam", "(USE (\\Junk))")
        client.append("INBOX", message("bad", user))
        client.append("INBOX", message("good", user))
        client.select_folder("INBOX")
        client.move([1], "Spam")
        self.assertEqual(self.learnt(spam), [b"Subject: bad"])
        client.select_folder("Spam")
        client.move([1], "INBOX")
        self.assertEqual(self.learnt(ham), [b"Subject: bad"])
        self.assertEqual(self.flags(client, "INBOX"), [set(), set()])
        self.assertEqual(len(self.learnt(spam)), 1)

    def learnt(self, user):
        """The subjects of what came to an address, once something did."""
        found = until(
            lambda: ways_in.messages(self.daemon, user),
            lambda: self.daemon.log.read_text()[-2000:],
        )
        return [
            line
            for one in found
            for line in one.split(b"\r\n")
            if line.startswith(b"Subject:")
        ]

    def test_a_client_that_hangs_up_does_not_stop_it(self):
        user = self.user()
        wire = Wire(PORT)
        wire.start_tls()
        wire.log_in(user)
        wire.put("mark", b'require ["imapsieve", "imap4flags"]; addflag "$Marked";')
        wire.close()
        watcher = self.client(user)
        self.name(watcher, '""', "mark")
        client = self.client(user)
        for number in range(300):
            client.append("INBOX", message(f"m{number}", user))
        watcher.create_folder("Copies")
        client.select_folder("INBOX")
        raw = client._imap
        raw.send(b"x1 COPY 1:* Copies\r\n")
        until(lambda: self.flags(watcher, "Copies"), lambda: "nothing was copied")
        raw.sock.shutdown(socket.SHUT_RDWR)
        until(
            lambda: self.flags(watcher, "Copies") == [{"$Marked"}] * 300,
            lambda: str(self.flags(watcher, "Copies").count({"$Marked"})),
        )


class AgentTests(SynchronousTestCase):
    """Users of this machine, whose mail and scripts an agent of their own keeps."""

    timeout = 300

    def test_scripts_act_on_their_mail(self):
        self.assertEqual(os.geteuid(), 0, "only root can make users")
        users = Users()
        atexit.register(users.remove)
        daemon = SystemDaemon(users, more=listener(SYSTEM_PORT))
        self.addCleanup(daemon.remove)
        daemon.start()
        user, name = daemon.add()
        wire = Wire(SYSTEM_PORT)
        self.addCleanup(wire.close)
        wire.start_tls()
        wire.log_in(name)
        self.assertEqual(wire.put("invoices", INVOICES.encode()), b'OK "done"\r\n')
        client = ways_in.imap(daemon, name)[0]
        self.addCleanup(client.shutdown)
        client.create("Invoices")
        client.xatom("SETMETADATA", "Invoices", '(/shared/imapsieve/script "invoices")')
        for subject in ("one", "two is paid"):
            client.append("Invoices", None, None, message(subject, name))
        client.select("Invoices")
        _, told = client.fetch("1:*", "(FLAGS)")
        self.assertIn(b"$Invoice", told[0])
        self.assertIn(b"\\Deleted", told[1])
        self.assertEqual(client.select("Paid")[1], [b"1"])
        for folder, _, files in os.walk(user.home):
            for file in ["", *files]:
                seen = os.lstat(os.path.join(folder, file))
                self.assertEqual(seen.st_uid, user.uid, (folder, file))
        self.assertNotIn("Traceback", daemon.logged())
