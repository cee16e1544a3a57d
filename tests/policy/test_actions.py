"""The actions of access tables, as access(5) writes them."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.config.restricting import ACTION_WORDS, Restriction
from mailtwist.delivery.model import Route
from mailtwist.policy import actions
from mailtwist.policy.actions import GO_ON, PERMIT, Ask, Order, Refuse, Tell
from mailtwist.policy.orders import Orders
from mailtwist.smtp.reply import reply_for

DOCS = Path(__file__).parent.parent.parent / "docs"


class ActionTests(SynchronousTestCase):
    def test_what_permits_and_what_says_nothing(self):
        for text, told in (
            ("OK", PERMIT),
            ("ok trailing text is ignored", PERMIT),
            ("permit", PERMIT),
            ("RELAY", PERMIT),
            ("1", PERMIT),  # a time stamp of POP before SMTP
            ("1700000000", PERMIT),
            ("DUNNO", GO_ON),
        ):
            self.assertEqual(actions.parsed(text), told, text)

    def test_what_refuses(self):
        for text, told in (
            ("REJECT", (550, "5.7.1", "Access denied", False)),
            ("reject no spam here", (550, "5.7.1", "no spam here", False)),
            ("REJECT 5.1.8 who are you", (550, "5.1.8", "who are you", False)),
            ("DEFER come back", (451, "4.7.1", "come back", False)),
            ("554 go away", (554, "5.7.1", "go away", False)),
            ("450 4.2.0 later", (450, "4.2.0", "later", False)),
            ("550", (550, "5.7.1", "Access denied", False)),
            ("421 enough", (421, "4.7.1", "enough", True)),
            ("521 5.3.2 no mail", (521, "5.3.2", "no mail", True)),
            ("550 5.1.1 caf\u00e9\r\nX", (550, "5.1.1", "caf???X", False)),
        ):
            action = actions.parsed(text)
            self.assertIsInstance(action, Refuse)
            reply = reply_for(action.fault)
            found = (reply.code, reply.status, reply.lines[0], reply.closes)
            self.assertEqual(found, told, text)

    def test_what_is_ordered(self):
        ann = Address("ann", "example.test")
        for text, orders in (
            ("HOLD", Orders(hold=True)),
            ("hold until I have seen it", Orders(hold=True)),
            ("DISCARD", Orders(discard=True)),
            ("REDIRECT ann@example.test", Orders(redirect=ann)),
            ("BCC ann@example.test", Orders(bcc=(ann,))),
            (
                "FILTER smtp:[127.0.0.1]:10025",
                Orders(filter=Route("smtp", "[127.0.0.1]:10025")),
            ),
            ("FILTER lmtp:unix:/run/x", Orders(filter=Route("lmtp", "unix:/run/x"))),
            ("PREPEND X-Seen: by us", Orders(prepend=("X-Seen: by us",))),
        ):
            action = actions.parsed(text)
            self.assertIsInstance(action, Order)
            self.assertEqual(action.orders, orders, text)
            self.assertEqual(action.permits, orders.discard)

    def test_reasons_to_defer(self):
        for word, name in (
            ("DEFER_IF_PERMIT", "defer_if_permit"),
            ("defer_if_reject", "defer_if_reject"),
        ):
            fault = getattr(actions.parsed(f"{word} 4.2.0 not now").orders, name)
            self.assertEqual((fault.code, fault.status), (450, "4.2.0"))
            self.assertEqual(fault.public, "not now")
            self.assertEqual(getattr(actions.parsed(word).orders, name).status, "4.7.1")

    def test_what_is_told(self):
        self.assertEqual(actions.parsed("WARN odd"), Tell("odd", True))
        self.assertEqual(actions.parsed("info seen"), Tell("seen", False))

    def test_anything_else_names_restrictions(self):
        for text, named in (
            ("strict", [Restriction("strict")]),
            (
                "permit_mynetworks, reject",
                [Restriction("permit_mynetworks"), Restriction("reject")],
            ),
            (
                "warn_if_reject check_sender_access s reject",
                [
                    Restriction("check_sender_access", "s", True),
                    Restriction("reject"),
                ],
            ),
        ):
            self.assertEqual(actions.parsed(text), Ask(tuple(named)), text)

    def test_what_is_no_action(self):
        for text, why in (
            ("", "empty"),
            ("!", "no word"),
            ("550 4.1.1 x", "code and status say different things"),
            ("FILTER", "no way"),
            ("FILTER smtp:x:25", "a port needs brackets"),
            ("REDIRECT", "no address"),
            ("REDIRECT ann", "no domain"),
            ("BCC a b@example.test", "two words"),
            ("PREPEND X-Seen", "no field"),
            ("PREPEND X-Seen:", "an empty field"),
            ("PREPEND X Seen: y", "a name with a space"),
            ("PREPEND X: a\r\nBcc: b", "two lines"),
            ("PREPEND X: a\nb", "a line feed"),
            ("PREPEND X: caf\u00e9", "not ASCII"),
            ("PREPEND X: " + "a" * 998, "too long"),
            ("check_sender_access", "no table"),
            ("warn_if_reject", "warns of nothing"),
            ("reject! now", "a word with a mark"),
        ):
            self.assertRaises(ValueError, actions.parsed, text)
            self.assertTrue(why)

    @given(st.text(max_size=60) | st.sampled_from(ACTION_WORDS).map("{} x".format))
    def test_any_text_is_an_action_or_a_ValueError(self, text):
        try:
            action = actions.parsed(text)
        except ValueError:
            return
        if isinstance(action, Refuse):
            public = action.fault.public
            self.assertTrue(public.isascii() and public.isprintable())

    @given(st.text(st.characters(codec="utf-8"), max_size=40))
    def test_a_field_that_is_put_on_top_is_one_line(self, text):
        try:
            action = actions.parsed(f"PREPEND X-A: {text}")
        except ValueError:
            return
        [line] = action.orders.prepend
        self.assertTrue(line.isascii())
        self.assertNotRegex(line, "[\r\n\0]")


class OrdersTests(SynchronousTestCase):
    def test_the_last_of_one_kind_counts_and_lists_grow(self):
        one, two = Address("a", "b.test"), Address("c", "d.test")
        both = Orders(redirect=one, bcc=(one,), prepend=("A: 1",)).and_then(
            Orders(hold=True, redirect=two, bcc=(one, two), prepend=("B: 2",))
        )
        self.assertEqual(
            both,
            Orders(hold=True, redirect=two, bcc=(one, two), prepend=("A: 1", "B: 2")),
        )


class PageTests(SynchronousTestCase):
    def test_the_manual_has_the_table_of_the_code(self):
        page = (DOCS / "restrictions.md").read_text()
        for form, does in actions.ACTIONS.items():
            self.assertIn(f"| `{form}` | {does} |\n", page)

    def test_words_of_actions_are_those_of_the_configuration(self):
        words = {form.split()[0] for form in actions.ACTIONS}
        self.assertEqual(
            {w for w in words if w.isupper() and w[0].isalpha()}, set(ACTION_WORDS)
        )
