from email import message_from_bytes, policy

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailtwist.address import Address
from mailtwist.config.option import DAY_S
from mailtwist.errors import MailError, NoSuchUser
from mailtwist.lists import desk_posts
from mailtwist.lists.answering import MOST_ANSWERS
from mailtwist.lists.interfaces import IListBook, IPolicies
from mailtwist.lists.links import token_for
from mailtwist.lists.plan import To
from mailtwist.lists.policies import Policies
from mailtwist.mime.dsn import RecipientStatus

from .rooms import OLA, URL, Office, now, to
from .samples import post
from .test_bounce import report

ANN = "ann@a.test"


def letter(body=b"", subject="x", author=ANN, more=b""):
    return post(body, author=author, subject=subject, more=more)


class OfficeTestCase(SynchronousTestCase):
    url = ""

    def office(self, **options):
        made = Office(self.mktemp(), self.url, **options)
        self.addCleanup(made.close)
        return made

    def text(self, mail):
        made = message_from_bytes(mail.octets, policy=policy.default)
        return made.get_body(("plain",)).get_content()

    def reply_to(self, mail):
        made = message_from_bytes(mail.octets, policy=policy.default)
        return str(made["Reply-To"]).partition("@")[0].removeprefix("dev-")


class InterfaceTests(OfficeTestCase):
    def test_the_store_is_a_book_of_lists(self):
        verifyObject(IListBook, self.office().store)
        verifyObject(IPolicies, Policies(None))


class JoinTests(OfficeTestCase):
    def test_each_policy(self):
        for subscription, joined, asked in (
            ("open", [ANN], ANN),
            ("confirm", [], ANN),
            ("moderated", [], str(OLA)),
            ("confirm and moderated", [], ANN),
            ("closed", [], ANN),
        ):
            office = self.office(subscription=subscription)
            office.take("subscribe", letter())
            self.assertEqual(office.members(), joined, subscription)
            self.assertEqual(to(office.sent()[0]), [asked], subscription)

    def test_confirm_and_moderated_asks_both(self):
        office = self.office(subscription="confirm and moderated")
        office.take("subscribe", letter())
        office.take(self.reply_to(office.sent()[0]), letter())
        mails = office.sent()
        self.assertEqual(to(mails[0]), [str(OLA)])
        office.take(self.reply_to(mails[0]), letter(b"accept\r\n", author=str(OLA)))
        self.assertEqual(office.members(), [ANN])

    def test_a_token_is_over_after_its_time(self):
        office = self.office()
        office.take("subscribe", letter())
        confirm = self.reply_to(office.sent()[0])
        office.now_s += 4 * DAY_S
        office.take(confirm, letter())
        self.assertEqual(office.members(), [])

    def test_nobody_is_asked_again_and_again(self):
        office = self.office()
        for _ in range(3):
            office.take("subscribe", letter())
        self.assertEqual(len([m for m in office.sent() if b"Confirm" in m.octets]), 1)

    def test_who_is_asked_for_by_others_decides_alone(self):
        office = self.office()
        office.take("request", letter(b"subscribe bob@b.test\r\n"))
        asked, told = office.sent()
        self.assertEqual((to(asked), to(told)), (["bob@b.test"], [ANN]))
        self.assertNotIn(self.reply_to(asked).partition("+")[2], self.text(told))

    def test_membership_is_no_secret_to_the_member_alone(self):
        office = self.office()
        office.join("bob@b.test")
        answers = []
        for address in ("bob@b.test", "zoe@b.test"):
            office.take("request", letter(f"unsubscribe {address}\r\n".encode()))
            answers.append(self.text(office.sent()[-1]).replace(address, "X"))
        self.assertEqual(answers[0], answers[1])

    def test_a_forged_sender_gets_so_many_answers_and_no_more(self):
        office = self.office()
        for _ in range(MOST_ANSWERS + 5):
            office.take("request", letter(b"help\r\n"))
        self.assertEqual(len(office.sent()), MOST_ANSWERS)
        office.take("request", letter(b"help\r\n", author="bob@b.test"))
        office.now_s += 3601
        office.take("request", letter(b"help\r\n"))
        self.assertEqual(len(office.sent()), 2)

    def test_a_member_has_the_name_that_it_writes_under(self):
        office = self.office(subscription="open")
        office.take("subscribe", letter(author=f"Ann Example <{ANN}>"))
        self.assertEqual(office.member(ANN).name, "Ann Example")

    def test_programs_are_not_answered(self):
        office = self.office()
        for more, path in (
            (b"Auto-Submitted: auto-replied\r\n", ANN),
            (b"Precedence: bulk\r\n", ANN),
            (b"X-Loop: dev@lists.test\r\n", ANN),
            (b"", ""),
        ):
            for function in ("request", "subscribe", "help", "confirm+" + "a" * 24):
                office.take(function, letter(b"help\r\n", more=more), path)
        self.assertEqual(office.sent(), [])


class PostTests(OfficeTestCase):
    def test_a_post_is_one_mail_to_all(self):
        office = self.office()
        office.join(ANN, "bob@b.test")
        office.take("", post())
        (mail,) = office.sent()
        self.assertEqual(
            mail.recipients,
            [
                To(ANN, "dev-bounces+ann=a.test@lists.test"),
                To("bob@b.test", "dev-bounces+bob=b.test@lists.test"),
                To("dev-archive@lists.test", ""),
            ],
        )
        self.assertEqual(mail.sender, "dev-bounces@lists.test")
        self.assertEqual(mail.signing, "sender")

    def test_each_member_gets_what_it_wants(self):
        office = self.office(archive=False, verp=False)
        office.join("a@x.test")
        office.join("b@x.test", mode="digest")
        office.join("c@x.test", mode="nomail")
        office.join(ANN)
        office.take("request", letter(b"set copies off\r\n"))
        office.take("request", letter(b"set vacation on\r\n", author="d@x.test"))
        office.sent()
        office.take("", post())
        self.assertEqual(office.sent()[0].recipients, [To("a@x.test")])
        self.assertEqual(now(office.clerk.digests()), 0)
        office.now_s += 2 * DAY_S
        self.assertEqual(now(office.clerk.digests()), 1)
        (mail,) = office.sent()
        self.assertEqual(to(mail), ["b@x.test"])

    def test_work_is_done_once(self):
        office = self.office(archive=False)
        office.join(ANN)
        office.take("", post(message_id="<2@a.test>"), work="q/1")
        self.assertEqual(
            office.take("", post(message_id="<2@a.test>"), work="q/1"), "done before"
        )
        self.assertEqual(len(office.sent()), 1)

    def test_a_message_id_is_taken_once(self):
        office = self.office(archive=False)
        office.join(ANN)
        for _ in range(2):
            office.take("", post())
        self.assertEqual(len(office.sent()), 1)

    def test_a_refusal_is_the_sender_s_fault_and_may_be_told_again(self):
        office = self.office(strangers="reject")
        for _ in range(2):
            with self.assertRaises(MailError) as raised:
                office.take("", post(), work="q/1")
            self.assertEqual(raised.exception.status, "5.7.1")

    def test_first_posts_wait_and_then_go(self):
        office = self.office(moderation="first", archive=False)
        office.join(ANN)
        office.take("", post())
        held, waits = office.sent()
        self.assertEqual((to(held), to(waits)), ([str(OLA)], [ANN]))
        office.take(self.reply_to(held), letter(b"accept\r\n", author=str(OLA)))
        self.assertEqual(to(office.sent()[0]), [ANN])
        office.take("", post(message_id="<3@a.test>"))
        self.assertEqual(to(office.sent()[0]), [ANN])

    def test_no_more_posts_wait_than_moderators_can_read(self):
        office = self.office()
        self.patch(desk_posts, "MOST_WAITING", 2)
        for number in range(2):
            office.take("", post(message_id=f"<{number}@a.test>"))
        with self.assertRaises(MailError) as raised:
            office.take("", post(message_id="<9@a.test>"))
        self.assertTrue(raised.exception.temporary)

    def test_an_answer_without_a_verdict_decides_nothing(self):
        office = self.office()
        office.take("", post())
        (held,) = office.sent()
        function = self.reply_to(held)
        office.take(function, letter(b"hm\r\n> accept\r\n", author=str(OLA)))
        self.assertIn("Say accept", self.text(office.sent()[0]))
        office.take(function, letter(b"Reject!\r\nToo long\r\n", author=str(OLA)))
        self.assertIn("Too long", self.text(office.sent()[0]))
        with self.assertRaises(NoSuchUser):
            now(office.desk.waits(function.partition("+")[2]))

    def test_an_address_of_no_list_is_unknown(self):
        office = self.office()
        with self.assertRaises(NoSuchUser):
            now(office.desk.take(Address("other", "lists.test"), b"", None, "q/1"))

    def test_from_is_rewritten_where_the_domain_asks(self):
        office = self.office(archive=False)
        office.join(ANN)
        office.policies.strict = ("a.test",)
        office.take("", post())
        self.assertIn(
            b'From: "Ann Example via dev" <dev@lists.test>', office.sent()[0].octets
        )


class OneClickTests(OfficeTestCase):
    url = URL

    def test_each_member_has_a_link_of_its_own(self):
        office = self.office(one_click=True)
        office.join(ANN, "bob@b.test")
        office.take("", post())
        (mail,) = office.sent()
        self.assertNotIn(b"List-Unsubscribe", mail.octets)
        ann, bob, archive = (each.fields for each in mail.recipients)
        token = token_for(office.list, office.member(ANN))
        self.assertIn(f"<{URL}/u/{token}>", ann)
        self.assertIn("List-Unsubscribe-Post: List-Unsubscribe=One-Click", ann)
        self.assertNotIn(token, bob)
        self.assertEqual(
            archive, "List-Unsubscribe: <mailto:dev-unsubscribe@lists.test>\r\n"
        )

    def test_a_link_takes_its_member_off_once(self):
        office = self.office()
        office.join(ANN)
        token = token_for(office.list, office.member(ANN))
        self.assertIn("not on", now(office.desk.unsubscribed(token)))
        self.assertEqual(office.members(), [])
        office.join(ANN)
        for bad in (token, token[::-1], "a" * 40, "short"):
            with self.assertRaises(NoSuchUser):
                now(office.desk.unsubscribed(bad))
        self.assertEqual(office.members(), [ANN])

    def test_mail_with_the_token_does_the_same(self):
        office = self.office()
        office.join(ANN)
        token = token_for(office.list, office.member(ANN))
        office.take(f"unsubscribe+{token}", letter())
        self.assertEqual(office.members(), [])


GONE = RecipientStatus(Address("ann", "a.test"), "failed", "5.1.1")
VERP = "bounces+ann=a.test"


class BounceTests(OfficeTestCase):
    def bounced(self, office, days, detail=VERP, status=GONE):
        for _ in range(days):
            office.take(detail, report(status), "")
            office.now_s += 1.1 * DAY_S

    def test_enough_bounces_stop_delivery_and_send_a_probe(self):
        office = self.office(bounce_score=2.0)
        office.join(ANN)
        self.bounced(office, 1)
        self.assertEqual(office.sent(), [])
        self.bounced(office, 1)
        probe, note = office.sent()
        self.assertEqual((to(probe), to(note)), ([ANN], [str(OLA)]))
        self.assertEqual(note.sender, "")
        self.assertTrue(office.member(ANN).stopped)

    def test_a_probe_that_comes_back_removes_the_member(self):
        for remove, left in ((True, []), (False, [ANN])):
            office = self.office(bounce_score=1.0, bounce_remove=remove)
            office.join(ANN)
            self.bounced(office, 1)
            probe = office.sent()[0]
            detail = probe.sender.partition("@")[0].removeprefix("dev-")
            office.take(detail, report(GONE), "")
            self.assertEqual(office.members(), left)
            self.assertEqual(to(office.sent()[0]), [str(OLA)])

    def test_a_probe_that_gets_through_lets_delivery_go_on(self):
        office = self.office(bounce_score=1.0)
        office.join(ANN)
        self.bounced(office, 1)
        office.now_s += 8 * DAY_S
        now(office.clerk.look())
        member = office.member(ANN)
        self.assertEqual((member.stopped, member.score), (False, 0.0))

    def test_forged_bounces_remove_nobody(self):
        office = self.office(bounce_score=1.0)
        office.join(ANN)
        self.bounced(office, 1)
        office.sent()
        for detail in ("bounces+" + "a" * 24, VERP, "bounces"):
            self.bounced(office, 3, detail)
        self.assertEqual(office.members(), [ANN])

    def test_the_report_names_whom_the_address_does_not(self):
        office = self.office(bounce_score=1.0)
        office.join(ANN)
        self.bounced(office, 1, "bounces")
        self.assertTrue(office.member(ANN).stopped)

    def test_what_is_no_report_goes_to_the_owners(self):
        office = self.office()
        office.take("bounces", letter(b"Please stop.\r\n"))
        (note,) = office.sent()
        self.assertEqual((to(note), note.sender), ([str(OLA)], ""))


class OwnerTests(OfficeTestCase):
    def test_a_loop_ends(self):
        office = self.office()
        office.take("owner", letter())
        (mail,) = office.sent()
        office.take("owner", mail.octets)
        self.assertEqual(office.sent(), [])

    def test_a_bounce_goes_on_as_one(self):
        office = self.office()
        office.take("owner", letter(), "")
        self.assertEqual(office.sent()[0].sender, "")
