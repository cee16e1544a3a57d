from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.lists.commands import (
    MOST_COMMANDS,
    Ask,
    Bad,
    Confirm,
    Set,
    Subscribe,
    Unsubscribe,
    in_subject,
    order_of,
    orders,
)

TOKEN = "abcdefghijklmnopqrstuvw2"
ANN = Address("ann", "a.test")

ORDERS = {
    "subscribe": Subscribe(),
    "SUBSCRIBE Dev": Subscribe("dev"),
    "join dev digest": Subscribe("dev", None, "digest"),
    "subscribe dev ann@a.test": Subscribe("dev", ANN),
    "subscribe address=<ann@a.test> plain": Subscribe("", ANN, "plain"),
    "subscribe digest=yes": Subscribe(mode="digest"),
    "leave": Unsubscribe(),
    "signoff dev ann@a.test": Unsubscribe("dev", ANN),
    f"confirm {TOKEN}": Confirm(TOKEN),
    f"Accept {TOKEN.upper()}": Confirm(TOKEN, "accept"),
    f"reject {TOKEN}": Confirm(TOKEN, "reject"),
    f"discard {TOKEN}": Confirm(TOKEN, "discard"),
    "set digest": Set("digest"),
    "set digest off": Set("each"),
    "set nomail": Set("nomail"),
    "set vacation on": Set(option="vacation"),
    "set copies off": Set(option="copies", on=False),
    "who": Ask("who"),
    "review dev": Ask("who", "dev"),
    "which": Ask("which"),
    "lists": Ask("lists"),
    "info Dev": Ask("info", "dev"),
    "help": Ask("help"),
}
BAD = (
    "hello there",
    "subscribe dev other third",
    "subscribe a@b@c",
    "confirm",
    "confirm short",
    f"confirm {TOKEN} {TOKEN}",
    "set",
    "set vacation maybe",
    "which a b",
)


class CommandTests(SynchronousTestCase):
    def test_each_line_means_one_order(self):
        for line, order in ORDERS.items():
            self.assertEqual(order_of(line), order, line)

    def test_other_lines_are_told_as_they_are(self):
        for line in BAD:
            self.assertIsInstance(order_of(line), Bad, line)

    def test_a_text_has_one_order_a_line_until_its_signature(self):
        text = "\n> which\nwho\n\n info dev\n-- \nsubscribe\n"
        self.assertEqual(
            [said.order for said in orders(text)], [Ask("who"), Ask("info", "dev")]
        )

    def test_end_ends(self):
        self.assertEqual([s.order for s in orders("help\nend\nwho")], [Ask("help")])

    def test_a_letter_is_not_read_to_its_end(self):
        said = orders("\n".join(["Dear list,"] * 50))
        self.assertEqual(len(said), 5)

    def test_the_number_of_commands_is_bounded(self):
        self.assertEqual(len(orders("help\n" * 1000)), MOST_COMMANDS)

    def test_a_subject_may_be_a_command(self):
        self.assertEqual(in_subject("Re: help").order, Ask("help"))
        self.assertIs(in_subject("A question"), None)
        self.assertIs(in_subject(""), None)

    @given(st.text())
    def test_any_text_is_read(self, text):
        for said in orders(text):
            self.assertEqual(order_of(said.line), said.order)
