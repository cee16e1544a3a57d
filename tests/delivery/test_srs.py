from hypothesis import assume, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.delivery.srs import DAY_S, Srs, is_srs
from mailtwist.errors import NoSuchUser
from mailtwist.secret import Secret

NOW_S = 1_800_000_000.0
OURS = Srs(lambda: Secret(b"k" * 32), "fwd.test")
OTHER = Srs(lambda: Secret(b"o" * 32), "other.test")
LOCAL_PARTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")),
    min_size=1,
    max_size=12,
)
DAYS = st.integers(0, 21)


class SrsTests(SynchronousTestCase):
    @given(LOCAL_PARTS, DAYS)
    def test_what_is_rewritten_comes_back(self, local_part, days):
        sender = Address(local_part, "else.test")
        rewritten = OURS.forward(sender, NOW_S)
        assume(rewritten is not None and not is_srs(local_part))
        self.assertEqual(rewritten.domain, "fwd.test")
        back = OURS.reverse(rewritten.local_part, NOW_S + days * DAY_S)
        self.assertEqual(back, sender)

    def test_its_form_is_that_of_other_forwarders(self):
        rewritten = OURS.forward(Address("ann", "else.test"), NOW_S)
        self.assertRegex(
            str(rewritten), r"SRS0=[A-Z2-7]{6}=[A-Z2-7]{2}=else\.test=ann@fwd\.test"
        )

    def test_a_second_forwarder_makes_srs1_and_a_third_no_more(self):
        sender = Address("ann", "else.test")
        first = OTHER.forward(sender, NOW_S)
        second = OURS.forward(first, NOW_S)
        self.assertRegex(
            second.local_part, r"SRS1=[A-Z2-7]{6}=other\.test==.*=else\.test=ann"
        )
        self.assertEqual(OURS.reverse(second.local_part, NOW_S), first)
        third = Srs(lambda: Secret(b"3" * 32), "third.test")
        again = third.forward(second, NOW_S)
        self.assertRegex(again.local_part, r"SRS1=[A-Z2-7]{6}=other\.test==")
        self.assertEqual(third.reverse(again.local_part, NOW_S), first)

    def test_other_separators_are_kept_for_the_first_forwarder(self):
        first = Address("SRS0+HASH=TT=else.test=ann", "other.test")
        second = OURS.forward(first, NOW_S)
        self.assertEqual(OURS.reverse(second.local_part, NOW_S), first)

    def test_case_lost_on_the_way_does_not_matter(self):
        rewritten = OURS.forward(Address("ann", "else.test"), NOW_S)
        back = OURS.reverse(rewritten.local_part.lower(), NOW_S)
        self.assertEqual(back, Address("ann", "else.test"))

    @given(st.data())
    def test_a_changed_address_is_refused(self, data):
        local_part = OURS.forward(Address("ann", "else.test"), NOW_S).local_part
        at = data.draw(st.integers(0, len(local_part) - 1))
        other = data.draw(st.sampled_from("abcxyz234=.-"))
        changed = local_part[:at] + other + local_part[at + 1 :]
        assume(changed.lower() != local_part.lower())
        assume(at != 4)  # "=", "+" and "-" mean the same there
        self.assertRaises(NoSuchUser, OURS.reverse, changed, NOW_S)

    def test_another_host_s_secret_does_not_fit(self):
        local_part = OTHER.forward(Address("ann", "else.test"), NOW_S).local_part
        fault = self.assertRaises(NoSuchUser, OURS.reverse, local_part, NOW_S)
        self.assertEqual(fault.status, "5.1.1")

    def test_old_and_future_ones_are_refused(self):
        local_part = OURS.forward(Address("ann", "else.test"), NOW_S).local_part
        for days in (22, 100, 1000, -1):
            with self.assertRaises(NoSuchUser):
                OURS.reverse(local_part, NOW_S + days * DAY_S)
        OURS.reverse(local_part, NOW_S + 1024 * DAY_S)  # the days of a cycle repeat

    def test_what_does_not_fit_is_not_rewritten(self):
        self.assertIsNone(OURS.forward(Address("a" * 40, "else.test"), NOW_S))
        self.assertIsNotNone(OURS.forward(Address("a" * 39, "else.test"), NOW_S))

    def test_domains_are_a_labels_inside(self):
        sender = Address("ann", "b\u00fccher.test")
        rewritten = OURS.forward(sender, NOW_S)
        self.assertIn("=xn--bcher-kva.test=ann", rewritten.local_part)
        self.assertEqual(OURS.reverse(rewritten.local_part, NOW_S), sender)

    @given(st.text())
    def test_any_text_is_refused(self, text):
        self.assertRaises(NoSuchUser, OURS.reverse, text, NOW_S)
        self.assertRaises(NoSuchUser, OURS.reverse, f"SRS0={text}", NOW_S)
        self.assertRaises(NoSuchUser, OURS.reverse, f"SRS1={text}", NOW_S)
