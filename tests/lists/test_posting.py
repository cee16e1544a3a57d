from twisted.trial.unittest import SynchronousTestCase

from mailtwist.lists.model import BANNED, MODERATOR, OWNER, POSTER
from mailtwist.lists.posting import ACCEPT, DISCARD, HOLD, REJECT, judged

from .samples import mailing_list, member, post, read

PICTURE = (
    b"--b\r\nContent-Type: text/plain\r\n\r\nHello.\r\n"
    b"--b\r\nContent-Type: image/png\r\nContent-Disposition: attachment\r\n\r\nx\r\n"
    b"--b--\r\n"
)
MIXED = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"


def verdict(
    octets=None, *, by=None, roles=(), reverse_path=True, seen=False, **options
):
    message = read(post() if octets is None else octets)
    if not reverse_path:
        message = read(post() if octets is None else octets, None)
    return judged(message, mailing_list(**options), by, roles, seen=seen)


class WhoMayPostTests(SynchronousTestCase):
    def test_rights(self):
        for posting, by, roles, action in (
            ("members", member(), (), ACCEPT),
            ("members", None, (), HOLD),
            ("members", None, (POSTER,), ACCEPT),
            ("members", None, (OWNER,), ACCEPT),
            ("anyone", None, (), ACCEPT),
            ("anyone", None, (BANNED,), DISCARD),
            ("named", member(), (), HOLD),
            ("named", None, (POSTER,), ACCEPT),
            ("moderators", member(), (POSTER,), HOLD),
            ("moderators", None, (MODERATOR,), ACCEPT),
        ):
            found = verdict(by=by, roles=roles, posting=posting)
            self.assertEqual(found.action, action, (posting, by, roles))

    def test_nobody_is_trusted_whose_name_may_be_forged(self):
        more = b"Authentication-Results: mx.test; dmarc=fail header.from=a.test\r\n"
        for by, roles in ((member(), ()), (None, (OWNER,))):
            found = verdict(post(more=more), by=by, roles=roles)
            self.assertEqual(found.action, HOLD)
        passed = more.replace(b"fail", b"pass")
        self.assertEqual(verdict(post(more=passed), by=member()).action, ACCEPT)

    def test_strangers_get_what_the_list_says(self):
        for action in (HOLD, REJECT, DISCARD):
            self.assertEqual(verdict(strangers=action).action, action)

    def test_first_posts_wait_until_one_was_accepted(self):
        for by, roles, action in (
            (member(), (), HOLD),
            (member(accepted=1), (), ACCEPT),
            (member(), (MODERATOR,), ACCEPT),
        ):
            found = verdict(by=by, roles=roles, moderation="first")
            self.assertEqual(found.action, action)

    def test_a_moderated_member_waits(self):
        self.assertEqual(verdict(by=member(moderated=True)).action, HOLD)

    def test_all_posts_may_be_moderated(self):
        self.assertEqual(verdict(by=member(accepted=9), moderation="all").action, HOLD)


class LoopTests(SynchronousTestCase):
    def test_what_programs_send_is_dropped(self):
        for more, reason in (
            (b"List-Id: Dev <DEV.lists.test>\r\n", "its own List-Id"),
            (b"X-Loop: dev@lists.test\r\n", "its own X-Loop"),
            (b"Auto-Submitted: auto-replied\r\n", "an answer of a program"),
            (b"X-Loop: a@b\r\n" * 30, "too many lists"),
        ):
            found = verdict(post(more=more), by=member())
            self.assertEqual(found.action, DISCARD, reason)
        self.assertEqual(verdict(by=member(), reverse_path=False).action, DISCARD)
        self.assertEqual(verdict(by=member(), seen=True).action, DISCARD)

    def test_another_list_s_mail_may_pass(self):
        more = b"List-Id: <other.b.test>\r\nAuto-Submitted: no\r\n"
        self.assertEqual(verdict(post(more=more), by=member()).action, ACCEPT)

    def test_bulk_waits(self):
        found = verdict(post(more=b"Precedence: bulk\r\n"), by=member())
        self.assertEqual(found.action, HOLD)


class SizeTests(SynchronousTestCase):
    def test_a_large_post_waits_or_is_refused(self):
        large = post(b"x" * 2000)
        for action in (HOLD, REJECT):
            found = verdict(large, by=member(), most_octets=1024, too_large=action)
            self.assertEqual((found.action, found.status), (action, "5.3.4"))

    def test_attachments(self):
        octets = post(PICTURE, more=MIXED)
        for action in (ACCEPT, HOLD, REJECT):
            found = verdict(octets, by=member(), attachments=action)
            self.assertEqual(found.action, action)

    def test_a_shown_picture_and_a_signature_are_none(self):
        signed = MIXED.replace(b"mixed", b"signed")
        signature = PICTURE.replace(b"image/png", b"application/pgp-signature")
        found = verdict(post(signature, more=signed), by=member(), attachments="reject")
        self.assertEqual(found.action, ACCEPT)

    def test_many_recipients_wait(self):
        many = ", ".join(f"p{n}@a.test" for n in range(30))
        octets = post(more=f"Cc: {many}\r\n".encode())
        self.assertEqual(verdict(octets, by=member()).action, HOLD)
        self.assertEqual(verdict(octets, by=member(), most_recipients=0).action, ACCEPT)

    def test_a_post_of_nobody_is_refused(self):
        octets = post(author="undisclosed:;")
        self.assertEqual(verdict(octets, by=member()).action, REJECT)
