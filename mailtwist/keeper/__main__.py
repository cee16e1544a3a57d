"""The keeper as a program: `python -I .../mailtwist/keeper/__main__.py`."""

import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[2])

# The package that this file is of comes behind the standard library, and before another
# one of its name that may be installed.
sys.path.insert(
    next((i for i, p in enumerate(sys.path) if p.endswith("-packages")), len(sys.path)),
    ROOT,
)

from mailtwist.keeper.server import main  # noqa: E402

if __name__ == "__main__":
    main()
