"""LOGIN (draft-murchison-sasl-login): user name and password asked one by one."""

from __future__ import annotations

from ..secret import Secret
from . import text
from .proof import PasswordProof

# The draft names other words, but these are the ones that clients compare.
ASK_USERNAME, ASK_PASSWORD = b"Username:", b"Password:"


def login(username: bytes, password: bytes) -> PasswordProof:
    """The proof in the two answers.  Raises SyntaxFault, AuthFailed."""
    return PasswordProof(text.username(username), Secret(text.password(password)))
