"""DIGEST-MD5, switched on, with programs that speak it by themselves."""

from .daemon import PASSWORD, DaemonTestCase
from .programs import message, run

CURL = ("curl", "-sS", "-k", "--ssl-reqd", "--login-options", "AUTH=DIGEST-MD5")


class DigestMd5Tests(DaemonTestCase):
    extra = "[auth]\ndigest_md5 = true\n"

    def test_swaks_and_curl_log_in_everywhere(self):
        ann = self.user("--keep-secret")
        login = ("-u", f"{ann}:{PASSWORD}")
        _, said = run(
            *("swaks", "-s", f"127.0.0.1:{self.daemon.port('submission')}", "-tls"),
            *("-a", "DIGEST-MD5", "-au", ann, "-ap", PASSWORD, "--from", ann, "--to"),
            ann,
        )
        self.assertIn("235 ", said)
        port = self.daemon.port
        run(
            *(*CURL, f"smtp://127.0.0.1:{port('submission')}", *login),
            *("--mail-from", ann, "--mail-rcpt", ann, "-T", "-"),
            said=message("By digest", sender=ann),
        )
        _, said = run(*CURL, f"pop3://127.0.0.1:{port('pop3')}/2", *login)
        self.assertIn("Subject: By digest", said)
        _, said = run(
            *CURL, f"imap://127.0.0.1:{port('imap')}/INBOX;MAILINDEX=2", *login
        )
        self.assertIn("Subject: By digest", said)
        self.assertEqual(self.daemon.log.read_text().count(f"{ann} by DIGEST-MD5"), 4)
