"""Ways to cut octets into segments."""

from hypothesis import strategies as st


def pieces(octets, cuts):
    """`octets` cut at these places (taken modulo its length)."""
    places = sorted({cut % (len(octets) + 1) for cut in cuts})
    return [octets[a:b] for a, b in zip([0, *places], [*places, None], strict=True)]


CUTS = st.lists(st.integers(0, 5000), max_size=8)
EACH_OCTET = range(5001)
