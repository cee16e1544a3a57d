from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import MOST_LOCAL_PART, Address
from mailtwist.config.listing import list_address
from mailtwist.errors import BadAddress
from mailtwist.lists.addressing import Meant, bounced, bounces_of, meanings
from mailtwist.lists.model import Member

from .samples import mailing_list

MEANINGS = {
    "dev": [Meant("dev", "post")],
    "Dev": [Meant("dev", "post")],
    "dev-request": [Meant("dev-request", "post"), Meant("dev", "request")],
    "my-dev-owner": [Meant("my-dev-owner", "post"), Meant("my-dev", "owner")],
    "dev-join": [Meant("dev-join", "post"), Meant("dev", "subscribe")],
    "dev-leave": [Meant("dev-leave", "post"), Meant("dev", "unsubscribe")],
    "dev-confirm+abc": [Meant("dev", "confirm", "abc")],
    "dev-bounces+Ann=a.test": [Meant("dev", "bounces", "Ann=a.test")],
    "owner-dev": [Meant("owner-dev", "post"), Meant("dev", "owner")],
    "dev+detail": [],  # a post has no detail
    "-request": [Meant("-request", "post")],
    "x" * 60: [],  # no list has such a name
}


class MeaningTests(SynchronousTestCase):
    def test_each_address_has_its_function(self):
        for local_part, meant in MEANINGS.items():
            self.assertEqual(meanings(local_part), meant, local_part)

    def test_names_that_would_be_ambiguous_are_refused(self):
        for name in ("dev-request", "dev-bounces", "owner-dev", "x" * 31, "-", "a+b"):
            with self.assertRaises(ValueError, msg=name):
                list_address(f"{name}@lists.test")
        for name in ("dev", "help", "a.b-c_d", "x" * 30, "request"):
            self.assertEqual(list_address(f"{name}@Lists.test").local_part, name)


def addresses():
    words = st.text(
        st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=70
    )
    plain = st.from_regex(r"[A-Za-z0-9.+_=-]{1,64}", fullmatch=True)
    domains = st.sampled_from(["a.test", "bücher.test", "[192.0.2.1]", "x" * 60])

    def made(parts):
        try:
            return Address.parse(str(Address.parse(f"{parts[0]}@{parts[1]}")))
        except BadAddress:
            return None

    return st.tuples(st.one_of(words, plain), domains).map(made).filter(bool)


class VerpTests(SynchronousTestCase):
    @given(address=addresses(), number=st.integers(1, 10**9))
    def test_the_sender_of_each_member_names_it_again(self, address, number):
        sender = bounces_of(mailing_list(), Member(number, address))
        self.assertTrue(sender.ascii)
        self.assertLessEqual(len(sender.local_part), MOST_LOCAL_PART)
        again = Address.parse(sender.encode().decode())
        (meant,) = (m for m in meanings(again.local_part) if m.function == "bounces")
        self.assertIn(bounced(meant.detail), (address, number))

    def test_a_plain_address_can_be_read_by_people(self):
        sender = bounces_of(mailing_list(), Member(7, Address("ann+x", "bücher.test")))
        expected = "dev-bounces+ann+x=xn--bcher-kva.test@lists.test"
        self.assertEqual(str(sender), expected)

    @given(st.text())
    def test_any_detail_names_somebody_or_nobody(self, detail):
        found = bounced(detail)
        self.assertIsInstance(found, Address | int | None)
