from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import BadMessage
from mailtwist.smtp.authors import authors_of, with_ours, with_sender

RESENT = (
    b"Received: x\r\nResent-From: bob@x.test\r\nResent-To: c@x.test\r\n"
    b"Received: y\r\nResent-From: carl@x.test\r\nFrom: ann@x.test\r\n"
)


def told(header, resent=True):
    found = authors_of(header, resent=resent)
    return [str(one) for one in found.named], found.needs_sender


class AuthorsTests(SynchronousTestCase):
    def test_who_is_named(self):
        for header, named, needs, why in [
            (b"From: ann@x.test\r\n", ["ann@x.test"], False, "an author"),
            (b"A: b\r\nFROM : Ann\r\n <ann@x.test>\r\n", ["ann@x.test"], False, "odd"),
            (b"From: a@x.test, b@x.test\r\n", ["a@x.test", "b@x.test"], True, "two"),
            (
                b"From: a@x.test, b@x.test\r\nSender: c@x.test\r\n",
                ["a@x.test", "b@x.test", "c@x.test"],
                False,
                "two with a sender",
            ),
            (b"From: us:;\r\n", [], True, "nobody"),
            (b"Subject: x\r\n\r\nFrom: a@x.test\r\n", [], True, "in the text"),
            (RESENT, ["bob@x.test"], False, "who resent it last"),
            (b"Resent-To: c@x.test\r\nFrom: a@x.test\r\n", ["a@x.test"], False, "half"),
        ]:
            self.assertEqual(told(header), (named, needs), why)
        self.assertEqual(told(RESENT, resent=False), (["ann@x.test"], False))
        self.assertTrue(authors_of(b"Subject: x\r\n", resent=True).missing)

    def test_what_cannot_be_told(self):
        for header, why in [
            (b"From: a@x.test\r\nfrom: b@x.test\r\n", "more than one From field"),
            (b"From: a@x.test\r\nSender: b@x.test\r\nSender: a@x.test\r\n", "Sender"),
            (b"From: a@x.test\r\nSender: b@x.test, c@x.test\r\n", "Sender is not one"),
            (b"From: a@x.test\r\nSender: us:;\r\n", "Sender is not one"),
            (b"From:\r\n", "From: An address list is empty"),
            (b"From: boss@y.test <a@x.test>\r\n", "From: "),
            (b"Resent-From: a\r\nFrom: a@x.test\r\n", "Resent-From: "),
            (
                b"Resent-From: a@x.test\r\nResent-From: b@x.test\r\n",
                "more than one Resent-From",
            ),
        ]:
            with self.assertRaises(BadMessage) as caught:
                authors_of(header, resent=True)
            self.assertIn(why, caught.exception.public)

    def test_a_sender_is_put_in_its_place(self):
        for header, wanted in [
            (b"From: a@x.test\r\n", b"Sender: me\r\nFrom: a@x.test\r\n"),
            (
                b"From: a@x.test\r\nSENDER: B\r\n <b@x.test>\r\nTo: d\r\n\r\nSender: x",
                b"Sender: me\r\nFrom: a@x.test\r\nTo: d\r\n\r\nSender: x",
            ),
            (
                b"Received: x\r\nResent-From: b@x.test\r\nResent-Sender: c@x.test\r\n"
                b"From: a@x.test\r\nSender: d@x.test\r\n",
                b"Received: x\r\nResent-Sender: me\r\nResent-From: b@x.test\r\n"
                b"From: a@x.test\r\nSender: d@x.test\r\n",
            ),
        ]:
            found = authors_of(header, resent=True)
            self.assertEqual(with_sender(header, b"me", found), wanted)
        broken = b"From: a\r\nSender: b\r\n"
        self.assertEqual(with_sender(broken, b"me", None), b"Sender: me\r\nFrom: a\r\n")

    def test_only_we_say_who_was_authenticated(self):
        header = b"X-Authenticated-Sender: boss\r\nFrom: a@x.test\r\n"
        self.assertEqual(with_ours(header, None), b"From: a@x.test\r\n")
        ours = b"X-Authenticated-Sender: me\r\nFrom: a@x.test\r\n"
        self.assertEqual(with_ours(header, b"me"), ours)

    @given(
        st.lists(
            st.sampled_from(
                [b"From: a@x.test\r\n", b"Sender: b@x.test\r\n", b"X: y\r\n z\r\n"]
                + [b"Resent-From: c@x.test\r\n", b"Resent-Sender: d@x.test\r\n"]
                + [b"no field\r\n", b"\r\n", b"Resent-To: e@x.test\r\n"]
            )
        ).map(b"".join)
    )
    def test_whatever_is_there_a_sender_is_added_once(self, header):
        try:
            found = authors_of(header, resent=True)
        except BadMessage:
            return
        marked = with_sender(header, b"me@x.test", found)
        again = authors_of(marked, resent=True)
        self.assertEqual(str(again.sender), "me@x.test")
        self.assertEqual(again.authors, found.authors)
        self.assertEqual(with_sender(marked, b"me@x.test", again), marked)
