"""getmail6 fetches over POP3S, IMAPS, and POP3 with APOP.

It knows neither STLS nor STARTTLS, so the plain ports are open to it only by a login
that does not show the password: APOP.  Its IMAP without TLS has no such login.
"""

import os
import shutil
from pathlib import Path
from tempfile import mkdtemp

from tests.integration import ways_in
from tests.integration.daemon import PASSWORD, DaemonTestCase
from tests.integration.programs import message, run


class GetmailTests(DaemonTestCase):
    def fetched(self, user, kind, port, *settings):
        """Subjects of what getmail fetches of two new messages, which it deletes."""
        ways_in.deliver(self.daemon, user, message("one"), message("two"))
        home = Path(mkdtemp(prefix="mailtwist-getmail-"))
        self.addCleanup(shutil.rmtree, home)
        for folder in ("cur", "new", "tmp"):
            (home / "Mail" / folder).mkdir(parents=True)
        rc = home / "getmailrc"
        rc.write_text(
            f"[retriever]\ntype = {kind}\nserver = {ways_in.HOST}\n"
            f"port = {self.daemon.port(port)}\nusername = {user}\n"
            + "".join(f"{line}\n" for line in (f"password = {PASSWORD}", *settings))
            + f"[destination]\ntype = Maildir\npath = {home}/Mail/\n"
            "[options]\ndelete = true\nread_all = true\n"
        )
        os.chmod(rc, 0o600)
        fetch = ("getmail", "-g", home, "-r", rc)
        if os.getuid() == 0:  # it never delivers as root
            run("chown", "-R", "nobody", home)
            home_of = {"HOME": str(home)}
            who = {"user": "nobody", "group": "nogroup", "extra_groups": []}
            run(*fetch, env=home_of, **who)
        else:
            run(*fetch)
        got = [path.read_bytes() for path in (home / "Mail/new").iterdir()]
        return sorted(
            line.removeprefix(b"Subject: ")
            for mail in got
            for line in mail.splitlines()
            if line.startswith(b"Subject: ")
        )

    def test_it_fetches_and_deletes_over_every_way_in(self):
        for kind, port, settings in (
            ("SimplePOP3SSLRetriever", "pop3s", ()),
            ("SimplePOP3Retriever", "pop3", ("use_apop = True",)),
            ("SimpleIMAPSSLRetriever", "imaps", ('mailboxes = ("INBOX",)',)),
        ):
            ann = self.user("--keep-secret")
            got = self.fetched(ann, kind, port, *settings)
            self.assertEqual(got, [b"one", b"two"], kind)
            self.assertEqual(ways_in.messages(self.daemon, ann), [], kind)
