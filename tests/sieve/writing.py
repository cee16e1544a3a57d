"""Scripts for properties: syntax as values, and octets that are nearly a script."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from mailtwist.sieve.extensions import EXTENSIONS, SIGNATURES, TAGS
from mailtwist.sieve.lexer import MOST_NUMBER
from mailtwist.sieve.syntax import Command, Number, Tag, Test, Text, TextList

# How long it takes to make scripts tells of the machine's load, not of a fault.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
NAMES = st.sampled_from(sorted(SIGNATURES)) | st.from_regex(r"\A[a-z_][a-z0-9_]{0,8}\Z")
TAG_NAMES = st.sampled_from(sorted({tag for tags in TAGS.values() for tag in tags}))
VALUES = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=12
) | st.sampled_from(
    [
        "line\r\n.\r\n..\r\n",
        "a\r\nb",
        "\r\n",
        "${a}",
        "${hex:40}",
        "i;octet",
        "ge",
        "from",
        "INBOX",
        "ann@example.org",
        "*[?]*",
        "(a|b)+",
    ]
)
TEXTS = st.builds(Text, VALUES)
ARGUMENTS = st.lists(
    st.one_of(
        st.builds(Number, st.integers(0, MOST_NUMBER)),
        TEXTS,
        st.builds(TextList, st.lists(TEXTS, min_size=1, max_size=3).map(tuple)),
        st.builds(Tag, TAG_NAMES),
    ),
    max_size=4,
).map(tuple)


def with_tests(tests):
    """(tests, listed) as a command or test has them."""
    return st.one_of(
        st.just(((), False)),
        tests.map(lambda one: ((one,), False)),
        st.lists(tests, min_size=1, max_size=3).map(lambda some: (tuple(some), True)),
    )


TESTS = st.recursive(
    st.builds(Test, NAMES, ARGUMENTS),
    lambda tests: st.builds(
        lambda name, arguments, inner: Test(name, arguments, *inner),
        NAMES,
        ARGUMENTS,
        with_tests(tests),
    ),
    max_leaves=3,
)


def commands(blocks):
    return st.builds(
        lambda name, arguments, inner, block: Command(name, arguments, *inner, block),
        NAMES,
        ARGUMENTS,
        with_tests(TESTS),
        blocks,
    )


SCRIPTS = st.lists(
    st.recursive(
        commands(st.none()),
        lambda inner: commands(st.none() | st.lists(inner, max_size=3).map(tuple)),
        max_leaves=4,
    ),
    max_size=4,
).map(tuple)

REQUIRES = st.lists(st.sampled_from(sorted(EXTENSIONS)), max_size=6).map(
    lambda names: (
        (Command("require", (TextList(tuple(map(Text, names))),)),) if names else ()
    )
)

WORDS = st.one_of(
    NAMES.map(str.encode),
    TAG_NAMES.map(lambda name: b":" + name.encode()),
    st.sampled_from(list(b"()[]{},;")).map(lambda octet: bytes([octet])),
    st.sampled_from(
        [b'"a"', b'"${a}"', b"12K", b"text:\n", b".\n", b"#\n", b"/*", b"*/"]
    ),
    st.binary(max_size=3),
)
PIECES = st.lists(WORDS, max_size=30).map(b" ".join)
