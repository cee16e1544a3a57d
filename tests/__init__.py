"""The tests of mailtwist; their folders are those of the rooms they are about."""

import os

from hypothesis import HealthCheck, settings

# How long an example takes is the machine's affair: a busy one makes no test fail.
settings.register_profile(
    "house", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")
# Properties that do not say how many examples they need get as many as are asked for.
if asked := os.environ.get("MAILTWIST_EXAMPLES"):
    settings.register_profile("asked", settings(), max_examples=int(asked))
    settings.load_profile("asked")
