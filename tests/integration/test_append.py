"""Messages that come over IMAP in every way, from real clients and at full size."""

import base64
import re
from pathlib import Path

from tests.integration import ways_in
from tests.integration.daemon import DaemonTestCase
from tests.integration.programs import message

LARGE_OCTETS = 95 * 1024 * 1024
MOST_GROWTH_KB = 64 * 1024  # of the daemon's memory, whatever the size of a message


class AppendTests(DaemonTestCase):
    def client(self):
        """(imaplib over TLS, logged in; the user)."""
        user = self.user()
        *_, client = ways_in.imap(self.daemon, user)
        return client, user

    def test_imapclient_appends_several_at_once(self):
        for client in ways_in.imapclient(self.daemon, self.user()):
            self.addCleanup(client.shutdown)
            client.create_folder("Many")
            client.multiappend("Many", [message(f"number {n}") for n in range(50)])
            self.assertEqual(client.select_folder("Many")[b"EXISTS"], 50)
            found = client.fetch([1, 50], ["ENVELOPE"])
            self.assertEqual(found[50][b"ENVELOPE"].subject, b"number 49")
            client.delete_folder("Many")

    def test_a_draft_is_replaced_until_it_is_sent_by_its_url(self):
        client, user = self.client()
        client.create("Drafts")
        client.append("Drafts", r"(\Draft)", None, message("first try", sender=user))
        client.select("Drafts")
        client.literal = message("second try", sender=user)
        done, _ = client.xatom("UID", "REPLACE", "1", "Drafts", r"(\Draft)")
        self.assertEqual(done, "OK")
        self.assertEqual(client.uid("SEARCH", "ALL")[1], [b"2"])

        host = self.daemon.hostname
        owner = user.replace("@", "%40")
        rump = f"imap://{owner}@{host}/Drafts/;UID=2;URLAUTH=submit+{owner}"
        self.assertEqual(client.xatom("GENURLAUTH", f'"{rump}"', "INTERNAL")[0], "OK")
        (told,) = client.response("GENURLAUTH")[1]
        url = told.decode().strip('"')
        self.assertTrue(url.startswith(f"{rump}:internal:"), url)

        friend = self.user()
        for smtp in ways_in.submission(self.daemon, user):
            smtp.ehlo()
            self.assertEqual(smtp.esmtp_features["burl"], f"imap imap://{host}")
            smtp.mail(user)
            smtp.rcpt(friend)
            self.assertEqual(smtp.docmd("BURL", f"{url} LAST")[0], 250)
            smtp.quit()
        kept = ways_in.messages(self.daemon, friend)
        self.assertEqual([b"second try" in one for one in kept], [True, True])

        client.xatom("RESETKEY", "Drafts")
        for smtp in ways_in.submission(self.daemon, user):
            smtp.mail(user)
            smtp.rcpt(friend)
            self.assertEqual(smtp.docmd("BURL", f"{url} LAST")[0], 554)
            smtp.quit()

    def test_what_a_url_allows_another_user(self):
        client, user = self.client()
        client.append("INBOX", None, None, message("for a friend"))
        other, friend = self.client()
        for one in (client, other):
            one.select("INBOX")  # imaplib lets commands it does not know wait for that
        start = f"imap://{user.replace('@', '%40')}@{self.daemon.hostname}"
        for access, wanted in [
            (f"user+{friend.replace('@', '%40')}", "Subject: for a friend"),
            (f"user+{user.replace('@', '%40')}", "NIL"),
        ]:
            rump = f"{start}/INBOX/;UID=1/;SECTION=HEADER;URLAUTH={access}"
            client.xatom("GENURLAUTH", f'"{rump}"', "INTERNAL")
            (url,) = client.response("GENURLAUTH")[1]
            self.assertEqual(other.xatom("URLFETCH", url.decode())[0], "OK")
            self.assertIn(wanted, repr(other.response("URLFETCH")[1]))

    def test_large_messages_come_and_go_in_little_memory(self):
        client, _ = self.client()
        client.append("INBOX", None, None, message("warm"))
        lines = base64.encodebytes(bytes(57) * 1000).replace(b"\n", b"\r\n")
        head = (
            b"Subject: large\r\nContent-Type: application/x-any\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\n"
        )
        large = head + lines * (LARGE_OCTETS // len(lines))
        before = self.peak_kb()
        self.assertEqual(client.append("INBOX", None, None, large)[0], "OK")
        client.select("INBOX")
        done, _ = client.xatom(
            "APPEND", "INBOX", "CATENATE", '(URL "/INBOX/;UID=2/;PARTIAL=0.60000000")'
        )
        self.assertEqual(done, "OK")
        _, (size,) = client.fetch("2", "BINARY.SIZE[1]")
        count = int(size.split()[-1].strip(b")"))
        self.assertEqual(count, 57 * 1000 * (LARGE_OCTETS // len(lines)))
        _, ((_, octets), _) = client.fetch("2", "BINARY.PEEK[1]")
        self.assertEqual(len(octets), count)
        self.assertEqual(octets.count(0), count)
        self.assertLess(self.peak_kb() - before, MOST_GROWTH_KB)
        client.logout()

    def test_many_messages_of_one_command_take_little_memory_and_few_files(self):
        client = ways_in.imapclient(self.daemon, self.user())[1]
        self.addCleanup(client.shutdown)
        client.append("INBOX", message("warm"))
        one = b"Subject: one\r\n\r\n" + b"\xe4" * 60_000  # goes as a literal
        before = self.peak_kb()
        client.multiappend("INBOX", [one] * 2000)
        self.assertLess(self.peak_kb() - before, MOST_GROWTH_KB)
        self.assertEqual(client.select_folder("INBOX")[b"EXISTS"], 2001)

    def peak_kb(self):
        status = Path(f"/proc/{self.daemon.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])
