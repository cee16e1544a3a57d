"""`python -m mailtwist.cli`: the same as the console script."""

from .main import run

run()
