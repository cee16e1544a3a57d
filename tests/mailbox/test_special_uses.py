"""What mailboxes a new account gets, and what it has already."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mailbox.special_uses import STANDARD, readable, settled, wanted


def uses(*words):
    return frozenset(f"\\{word}" for word in words)


class WantedTests(SynchronousTestCase):
    def test_the_standard_has_five_mailboxes_named_after_their_use(self):
        self.assertEqual(
            wanted(STANDARD),
            {
                (name,): uses(name)
                for name in ("Drafts", "Sent", "Junk", "Trash", "Archive")
            },
        )

    def test_a_text_is_a_use_and_a_name(self):
        for text, expected in (
            ("sent:Sent Items", {("Sent Items",): uses("Sent")}),
            ("  JUNK :  Spam ", {("Spam",): uses("Junk")}),
            ("\\Trash: Bin", {("Bin",): uses("Trash")}),
            ("drafts: inbox/Drafts", {("INBOX", "Drafts"): uses("Drafts")}),
            ("archive: Mail/Old: all", {("Mail", "Old: all"): uses("Archive")}),
            ("junk: Некажаце", {("Некажаце",): uses("Junk")}),
        ):
            self.assertEqual(wanted([text]), expected, text)

    def test_one_mailbox_may_have_two_uses(self):
        texts = ["junk: Bin", "trash: Bin"]
        self.assertEqual(wanted(texts), {("Bin",): uses("Junk", "Trash")})

    def test_what_names_no_mailbox_is_refused(self):
        for texts, why in (
            (["sent"], "no name"),
            (["sent:"], "an empty name"),
            (["sent: a//b"], "an empty level"),
            (["sent: /a"], "an empty level"),
            (["all: Everything"], "no mailbox of ours shows what is in others"),
            (["flagged: Stars"], "likewise"),
            (["post: Post"], "no use of RFC 6154"),
            (["sent: Inbox"], "INBOX is what it is"),
            (["sent: A", "sent: B"], "a use twice"),
            (["sent: a\x07"], "a control character"),
            (["sent: " + "é" * 128], "a level above 255 octets"),
        ):
            self.assertFalse(readable(texts), why)


class SettledTests(SynchronousTestCase):
    def test_what_is_missing_is_made_with_its_parents(self):
        asked = wanted(["sent: Mail/Sent", "junk: Mail/Junk"])
        found, made = settled(asked, [("INBOX",)])
        self.assertEqual(found, {})
        self.assertEqual(
            list(made.items()),
            [
                (("Mail",), frozenset()),
                (("Mail", "Sent"), uses("Sent")),
                (("Mail", "Junk"), uses("Junk")),
            ],
        )

    def test_a_mailbox_of_that_name_gets_the_use(self):
        found, made = settled(wanted(["sent: Sent"]), [("INBOX",), ("Sent",)])
        self.assertEqual((found, made), ({("Sent",): uses("Sent")}, {}))

    def test_a_mailbox_that_another_program_named_gets_the_use(self):
        for there in (
            ("Sent Items",),
            ("Sent Messages",),
            ("sent",),
            ("INBOX", "Sent"),
        ):
            found, made = settled(wanted(["sent: Sent"]), [("INBOX",), there])
            self.assertEqual((found, made), ({there: uses("Sent")}, {}), there)

    def test_only_mailboxes_at_the_top_are_known_by_their_name(self):
        present = [("INBOX",), ("Work",), ("Work", "Sent")]
        found, made = settled(wanted(["sent: Sent"]), present)
        self.assertEqual((found, made), ({}, {("Sent",): uses("Sent")}))

    @given(
        st.lists(st.sampled_from(STANDARD), unique=True),
        st.sets(
            st.sampled_from(
                [("Sent",), ("sent",), ("Spam",), ("Trash",), ("INBOX", "Drafts")]
            )
        ),
    )
    def test_every_use_has_one_mailbox_in_the_end(self, texts, present):
        asked = wanted(texts)
        found, made = settled(asked, present)
        self.assertLessEqual(found.keys(), present)
        self.assertTrue(made.keys().isdisjoint(present))
        told = [use for held in (*found.values(), *made.values()) for use in held]
        self.assertEqual(sorted(told), sorted(use for u in asked.values() for use in u))
