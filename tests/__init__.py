"""The tests of mailtwist; their folders are those of the rooms they are about."""

import os

from hypothesis import settings

# Properties that do not say how many examples they need get as many as are asked for.
if asked := os.environ.get("MAILTWIST_EXAMPLES"):
    settings.register_profile("asked", max_examples=int(asked))
    settings.load_profile("asked")
