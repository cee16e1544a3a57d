"""Tests of mailtwist; the folders mirror those of the product."""

from hypothesis import HealthCheck, settings

# A machine that is busy with something else makes no property wrong.
settings.register_profile(
    "mailtwist", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("mailtwist")
