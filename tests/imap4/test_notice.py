"""What a session is told of names and other mailboxes (RFC 5465 §5, §6)."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.imap4 import notice
from mailtwist.imap4.notice import NameChange, Names, Notice
from mailtwist.imap4.types_events import EventGroup, MailboxFilter, NotifyEvent
from mailtwist.mailbox.metadata import ACCOUNT, SPECIAL_USE
from mailtwist.mailbox.model import Annotation

NAME, SUBSCRIBED = NotifyEvent.MAILBOX_NAME, NotifyEvent.SUBSCRIPTION_CHANGE
F = MailboxFilter
EVERYTHING = EventGroup(F.PERSONAL, frozenset(NotifyEvent))


def names(*subscribed, **by_id):
    return Names(
        {one: tuple(path.split("/")) for one, path in by_id.items()},
        frozenset(tuple(path.split("/")) for path in subscribed),
    )


class FilterTests(SynchronousTestCase):
    def test_which_mailboxes_a_group_is_about(self):
        lists, deep = ("Lists",), ("Lists", "py", "dev")
        for group, path, wanted in (
            (EventGroup(F.PERSONAL, frozenset({NAME})), deep, True),
            (EventGroup(F.INBOXES, frozenset({NAME})), deep, True),
            (EventGroup(F.SELECTED, frozenset({NAME})), deep, False),
            (EventGroup(F.SELECTED_DELAYED, frozenset({NAME})), deep, False),
            (EventGroup(F.SUBTREE, frozenset({NAME}), (lists,)), deep, True),
            (EventGroup(F.SUBTREE, frozenset({NAME}), (lists,)), lists, True),
            (EventGroup(F.SUBTREE, frozenset({NAME}), (lists,)), ("List",), False),
            (EventGroup(F.MAILBOXES, frozenset({NAME}), (lists,)), lists, True),
            (EventGroup(F.MAILBOXES, frozenset({NAME}), (lists,)), deep, False),
            (EventGroup(F.MAILBOXES, frozenset({NAME}), (("L*",),)), lists, False),
            (EventGroup(F.SUBSCRIBED, frozenset({NAME})), lists, True),
            (EventGroup(F.SUBSCRIBED, frozenset({NAME})), deep, False),
        ):
            held = Notice((group,), names=names("Lists"))
            self.assertEqual(NAME in held.events(path), wanted, (group, path))

    def test_groups_add_up(self):
        held = Notice(
            (
                EventGroup(F.MAILBOXES, frozenset({NAME}), (("a",),)),
                EventGroup(F.PERSONAL, frozenset({SUBSCRIBED})),
            )
        )
        self.assertEqual(held.events(("a",)), {NAME, SUBSCRIBED})
        self.assertEqual(held.events(("b",)), {SUBSCRIBED})

    def test_each_mailbox_is_kept_once_and_too_many_not_at_all(self):
        self.patch(notice, "MOST_STALE", 3)
        held = Notice((EVERYTHING,))
        for _ in range(10):
            held.hint(("a",))
        self.assertEqual((list(held.stale), held.overflowed), ([("a",)], False))
        for name in "bcd":
            held.hint((name,))
        self.assertEqual((list(held.stale), held.overflowed), ([], True))
        self.assertTrue(held.pending)


class NameTests(SynchronousTestCase):
    def renewed(self, old, new, *own, groups=(EVERYTHING,)):
        held = Notice(groups, names=old)
        held.own.update(own)
        return held.renew(new)

    def test_what_is_told(self):
        for old, new, wanted, why in (
            (names(a="x"), names(a="x"), [], "nothing happened"),
            (names(), names(a="x"), [("x", NAME, None)], "made"),
            (names(a="x"), names(), [("x", NAME, None)], "deleted"),
            (names(a="x"), names(b="x"), [("x", NAME, None)], "made anew"),
            (names(a="x"), names(a="y"), [("y", NAME, "x")], "renamed"),
            (
                names(a="x", b="x/1", c="x/1/2"),
                names(a="y", b="y/1", c="y/1/2"),
                [("y", NAME, "x")],
                "children are renamed without a word (§5.4)",
            ),
            (
                names(a="x", b="x/1"),
                names(a="y", b="z/1"),
                [("y", NAME, "x"), ("z/1", NAME, "x/1")],
                "a child that went elsewhere",
            ),
            (
                names(a="x"),
                names(a="x", b="x/1"),
                [("x/1", NAME, None), ("x", NAME, None)],
                "the parent is affected too",
            ),
            (names(), names("x"), [("x", SUBSCRIBED, None)], "subscribed"),
            (names("x"), names(), [("x", SUBSCRIBED, None)], "unsubscribed"),
            (
                names(),
                names("x", a="x"),
                [("x", NAME, None)],
                "one LIST tells both",
            ),
        ):
            found = [
                ("/".join(c.path), c.event, c.old and "/".join(c.old))
                for c in self.renewed(old, new)
            ]
            self.assertEqual(found, wanted, why)

    def test_own_changes_are_not_told(self):
        self.assertEqual(self.renewed(names(), names(a="x"), ("x",)), [])
        self.assertEqual(
            self.renewed(names(p="p"), names(p="p", a="p/x"), ("p", "x")), []
        )
        self.assertEqual(self.renewed(names(a="x"), names(a="y"), ("y",), ("x",)), [])
        self.assertEqual(
            self.renewed(names(), names(a="x", b="y"), ("x",)),
            [NameChange(("y",), NAME)],
        )

    def test_what_was_subscribed_until_now_is_told_as_that(self):
        group = EventGroup(F.SUBSCRIBED, frozenset({SUBSCRIBED}))
        self.assertEqual(
            self.renewed(names("x"), names(), groups=(group,)),
            [NameChange(("x",), SUBSCRIBED)],
        )

    PATHS = st.sets(st.lists(st.sampled_from("xyz"), min_size=1, max_size=3).map(tuple))

    @given(PATHS, PATHS, st.sets(st.integers(0, 9)))
    def test_a_client_that_follows_knows_every_name(self, old, new, again):
        """`again`: places of names that were deleted and made anew."""
        known = set(old)
        was = {"/".join(path): path for path in old}
        now = {
            "/".join(path) + ("'" if at in again else ""): path
            for at, path in enumerate(sorted(new))
        }
        for change in self.renewed(Names(was), Names(now)):
            self.assertIsNone(change.old)
            if change.path in new:
                known.add(change.path)
            else:
                known.discard(change.path)
        self.assertEqual(known, new)


class AnnotationTests(SynchronousTestCase):
    HELD = (
        Annotation(ACCOUNT, "/private/comment", b"mine"),
        Annotation(("a",), "/shared/comment", b"one"),
        Annotation(("a",), SPECIAL_USE, b"\\Junk \\Sent"),
    )

    def watching(self, *groups):
        held = Notice(groups or (EVERYTHING,), names=names(a="a", b="b"))
        held.renew_annotations(self.HELD)
        return held

    def test_what_is_told(self):
        account, comment, uses = self.HELD
        other = Annotation(("b",), "/shared/comment", b"one")
        changed = Annotation(("a",), "/shared/comment", b"two")
        for now, wanted, why in (
            (self.HELD, {}, "nothing happened"),
            ((account, changed, uses), {("a",): [comment.name]}, "changed"),
            ((account, uses), {("a",): [comment.name]}, "removed"),
            ((*self.HELD, other), {("b",): [other.name]}, "made"),
            ((comment, uses), {ACCOUNT: [account.name]}, "of the account"),
            ((), {ACCOUNT: [account.name], ("a",): [SPECIAL_USE, comment.name]}, "all"),
        ):
            held = self.watching()
            self.assertEqual(held.renew_annotations(now), wanted, why)
            self.assertEqual(held.renew_annotations(now), {}, "once")

    def test_what_is_wanted(self):
        mailbox, server = (
            NotifyEvent.MAILBOX_METADATA_CHANGE,
            NotifyEvent.SERVER_METADATA_CHANGE,
        )
        for which, event, wanted in (
            (F.PERSONAL, mailbox, {("a",)}),
            (F.PERSONAL, server, {ACCOUNT}),
            (F.SUBSCRIBED, mailbox, set()),
            (F.SUBSCRIBED, server, {ACCOUNT}),
            (F.PERSONAL, NAME, set()),
        ):
            held = self.watching(EventGroup(which, frozenset({event})))
            held.hint(ACCOUNT)
            self.assertEqual(held.pending, event is not NAME)
            self.assertEqual(set(held.renew_annotations(())), wanted, (which, event))

    def test_own_changes_are_not_told(self):
        account, comment, _ = self.HELD
        held = self.watching()
        held.know(ACCOUNT, [("/private/comment", None)])
        held.know(("a",), [(comment.name, b"two"), (SPECIAL_USE, b"\\SENT \\junk")])
        changed = Annotation(("a",), comment.name, b"two")
        self.assertEqual(held.renew_annotations((changed, self.HELD[2])), {})
        held.know(("a",), [(SPECIAL_USE, b"")])
        self.assertEqual(held.renew_annotations((changed,)), {})

    def test_they_go_with_a_renamed_mailbox(self):
        held = self.watching()
        held.renew(names(a="c", b="b"))
        moved = [
            Annotation(("c",) if one.path else ACCOUNT, one.name, one.value)
            for one in self.HELD
        ]
        self.assertEqual(held.renew_annotations(moved), {})

    def test_those_of_a_mailbox_that_is_gone_are_not_told(self):
        held = self.watching()
        held.renew(names(b="b"))
        self.assertEqual(held.renew_annotations(self.HELD[:1]), {})
