"""Tests for mailtwist.directory.passwd_formats."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.directory.model import USES
from mailtwist.directory.passwd_formats import (
    DAY_S,
    FORMATS,
    BadLine,
    PasswdRow,
    rows_of,
    system_rows,
)

HASH = "$6$salt$" + "h" * 86
TEXTS = st.text(st.characters(codec="utf-8"), max_size=60)


def one(format_name, line):
    [row] = rows_of(format_name, line)
    return row


class DovecotTests(SynchronousTestCase):
    def test_all_fields(self):
        row = one(
            "dovecot",
            "ann@x.test:{SSHA}abc:1001:100:Ann:/home/%d/%n:/bin/sh:"
            "userdb_mail=maildir:~/mail userdb_quota_rule=*:storage=1G:messages=5",
        )
        self.assertEqual(
            (row.name, row.hash, row.uid, row.gid, row.home, row.mailbox, row.quota),
            ("ann@x.test", "{SSHA}abc", 1001, 100, "/home/x.test/ann", "mail/")
            + ("1073741824S,5C",),
        )
        self.assertEqual((row.uses, row.ignored, row.line), (None, (), 1))

    def test_a_name_and_a_hash_are_enough(self):
        row = one("dovecot", "ann:{PLAIN}secret\r")
        self.assertEqual((row.hash, row.home, row.uid), ("{PLAIN}secret", "", None))

    def test_mailboxes(self):
        box = "mbox:mail:INBOX=/var/mail/ann"
        for extra, mailbox, ignored in [
            ("userdb_mail=maildir:/m/%u", "/m/ann@x/", ()),
            ("userdb_mail=maildir:%h/M:INDEX=/i", "M/", ()),
            ("userdb_mail=mbox:~/mail:INBOX=/var/mail/%n", box, ()),
            ("userdb_mail_driver=maildir userdb_mail_path=~/Maildir", "Maildir/", ()),
            ("userdb_mail=mbox:~/mail", "mbox:mail", ()),
            # Nobody has sdbox here.
            ("userdb_mail=sdbox:~/mail", "", ("mail",)),
            # A variable that is not known here.
            ("userdb_mail=maildir:/m/%Lu", "", ("mail",)),
        ]:
            row = one("dovecot", f"ann@x:{HASH}::::::{extra}")
            self.assertEqual((row.mailbox, row.ignored), (mailbox, ignored), extra)

    def test_quotas_without_a_unit_are_kib(self):
        for rule, quota in [
            ("*:storage=10", "10240S"),
            ("*:bytes=10", "10S"),
            ("*:storage=10MB", "10485760S"),
            ("*:messages=7", "7C"),
        ]:
            row = one("dovecot", f"ann:{HASH}::::::userdb_quota_rule={rule}")
            self.assertEqual(row.quota, quota)

    def test_what_narrows_logins_is_obeyed_or_told(self):
        row = one("dovecot", f"ann:{HASH}::::::nologin allow_nets=10.0.0.0/8")
        self.assertEqual(row.uses, {"receive"})
        self.assertEqual(row.ignored, ("allow_nets",))

    def test_no_password_lets_nobody_in(self):
        for line in ("ann:", "ann", "ann:x::::::nopassword"):
            self.assertTrue(one("dovecot", line).locked, line)


class CourierTests(SynchronousTestCase):
    def test_all_fields(self):
        row = one(
            "courier",
            f"ann@x.test\tuid=1001|gid=100|home=/home/ann|mail=./Mail"
            f"|systempw={HASH}|quota=1000S,5C|options=disablepop3=1,group=a",
        )
        self.assertEqual(
            (row.hash, row.uid, row.gid, row.home, row.mailbox, row.quota),
            (HASH, 1001, 100, "/home/ann", "Mail/", "1000S,5C"),
        )
        self.assertEqual(row.uses, set(USES) - {"pop3"})
        self.assertEqual(row.ignored, ("group",))

    def test_a_spool_is_an_mbox(self):
        row = one("courier", "ann mail=/var/mail/ann|systempw=x")
        self.assertEqual(row.mailbox, "/var/mail/ann")

    def test_the_password_of_one_service_is_for_that_service(self):
        row = one("courier", "ann\timappw=a|pop3pw=b|esmtppw=a|hmac-md5pw=cc")
        self.assertEqual((row.hash, row.uses), ("a", {"receive", "imap4", "send"}))
        self.assertEqual(row.ignored, ("hmac-md5pw", "pop3pw"))

    def test_a_name_alone_is_an_account_without_password(self):
        self.assertTrue(one("courier", "ann").locked)


class ShadowTests(SynchronousTestCase):
    def test_dates(self):
        for days, until in [
            ("19000:0:99999:7:::", None),
            ("19000:0:99999:7::20000:", 20000),
            ("19000:0:90:7:::", 19091),
            ("19000:0:90:7::19050:", 19050),
            ("0:0:99999:7:::", 0),  # to be changed at the next login
            ("19000:0:99999:7:-1:-1:", None),
        ]:
            row = one("shadow", f"ann:{HASH}:{days}")
            until_s = None if until is None else until * DAY_S
            self.assertEqual(row.login_until_s, until_s, days)

    def test_users_of_the_system(self):
        rows = list(
            system_rows(
                "ann:x:1001:100:Ann,,,:/home/ann:/bin/sh\nbob:x:1002:100::/h:/bin/sh\n",
                f"ann:{HASH}:19000::::::\nbroken\n",
            )
        )
        self.assertEqual(rows[0].line, 2)
        self.assertIsInstance(rows[0], BadLine)
        self.assertEqual((rows[1].hash, rows[1].uid), (HASH, 1001))
        self.assertTrue(rows[2].locked)

    def test_an_empty_hash_lets_nobody_in(self):
        self.assertTrue(one("shadow", "ann::19000::::::").locked)
        self.assertTrue(one("passwd", "ann::1:1::/:/bin/sh").locked)


class RowTests(SynchronousTestCase):
    def test_bad_lines_are_told_without_what_stood_there(self):
        for format_name, line in [
            ("passwd", f"ann:{HASH}"),
            ("passwd", f"ann:{HASH}:x:1::/:/"),
            ("passwd", "+::::::"),
            ("shadow", f"ann:{HASH}:soon"),
            ("shadow", HASH),
            ("shadow", f"an\x1bn:{HASH}"),
            ("shadow", f"an\udcffn:{HASH}"),
            ("dovecot", f":{HASH}"),
            ("dovecot", f"ann:{HASH}:none"),
            ("dovecot", f"ann:{HASH}::::::userdb_quota_rule=*:storage={HASH}"),
            ("dovecot", f"../x:{HASH}::::/h/%n::"),
            ("courier", f"ann quota={HASH}"),
            ("courier", f" systempw={HASH}"),
        ]:
            row = one(format_name, line)
            self.assertIsInstance(row, BadLine, line)
            self.assertNotIn(HASH, repr(row))

    def test_comments_and_empty_lines_are_no_rows(self):
        for format_name in FORMATS:
            self.assertEqual(list(rows_of(format_name, "# ann:x\n\n \n")), [])

    def test_no_repr_shows_a_hash(self):
        row = one("dovecot", "ann:{PLAIN}secret::::::pass=secret")
        self.assertNotIn("secret", repr(row))

    def test_the_texts_are_those_of_a_source(self):
        row = PasswdRow("ann", 1, HASH, 1, 2, "/h", uses=frozenset())
        self.assertEqual(
            row.texts(),
            {"name": "ann", "password": HASH, "uid": "1", "gid": "2", "home": "/h"}
            | {"uses": "none"},
        )

    @given(text=TEXTS, format_name=st.sampled_from(sorted(FORMATS)))
    def test_any_text_is_rows_and_bad_lines(self, text, format_name):
        for row in rows_of(format_name, text):
            self.assertIsInstance(row, PasswdRow | BadLine)

    @given(
        fields=st.lists(st.sampled_from([":", "|", "=", "a", "userdb_mail", "%", " "])),
        format_name=st.sampled_from(sorted(FORMATS)),
    )
    def test_any_order_of_marks_is_rows_and_bad_lines(self, fields, format_name):
        for row in rows_of(format_name, "".join(fields)):
            self.assertIsInstance(row, PasswdRow | BadLine)
