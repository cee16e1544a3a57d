"""Signatures between ours and dkimpy's."""

import dkim
from hypothesis import given, settings
from hypothesis import strategies as st

from mailtwist.trust.keys import private_key

from .messages import NOW_S, RSA
from .test_dkim import DOMAIN, DkimTestCase

KEY = private_key(DOMAIN, "test", RSA)
RECORDS = {f"TXT test._domainkey.{DOMAIN}": [KEY.record]}
WORDS = st.lists(
    st.sampled_from(["a", "word", " ", "  ", "\t", "\r\n", "\r\n\r\n", "é"]),
    max_size=20,
).map("".join)
NAMES = st.sampled_from(["Subject", "To", "X-Other", "Cc", "reply-to", "Date"])
VALUES = st.sampled_from(["x", " x  y ", "x\r\n\ty", "", "\tz", "é"])


@st.composite
def messages(draw):
    fields = draw(st.lists(st.tuples(NAMES, VALUES), max_size=6))
    header = "From: Joe <joe@football.example.com>\r\n" + "".join(
        f"{name}: {value}\r\n" for name, value in fields
    )
    body = draw(WORDS)  # of whole lines, as SMTP has it: else the two may differ
    return f"{header}\r\n{body}\r\n".encode()


def answer(name, timeout=5):
    """DNS for dkimpy."""
    found = RECORDS.get(f"TXT {name.decode().removesuffix('.')}")
    return found[0].encode() if found else None


class DkimpyTests(DkimTestCase):
    @settings(deadline=None, max_examples=50)
    @given(messages())
    def test_ours_verify_there(self, message):
        signed = self.signed(message, [KEY])
        self.assertTrue(dkim.verify(signed, dnsfunc=answer), signed)

    @settings(deadline=None, max_examples=50)
    @given(
        messages(),
        st.sampled_from([b"simple", b"relaxed"]),
        st.sampled_from([b"simple", b"relaxed"]),
        st.booleans(),
    )
    def test_theirs_verify_here(self, message, header, body, length):
        field = dkim.sign(
            message,
            b"test",
            DOMAIN.encode(),
            RSA,
            canonicalize=(header, body),
            length=length,
        )
        found = self.verified(field + message, RECORDS, now_s=NOW_S * 2)
        self.assertEqual([one.result for one in found], ["pass"], field)
