"""Write the pages that are printed from the code, or (--check) say which are stale."""

import sys
from pathlib import Path

import capability_tables
import sieve_table

from mailtwist.config import reference

ROOT = Path(__file__).parent.parent


def pages() -> dict[str, str]:
    return {
        "docs/config.md": reference.manual(),
        "docs/capabilities.md": capability_tables.page(),
        "docs/sieve-extensions.md": sieve_table.page(),
        "etc/mailtwist.toml": reference.sample(),
    }


def main() -> int:
    stale = 0
    for name, text in pages().items():
        path = ROOT / name
        if path.exists() and path.read_text() == text:
            continue
        if "--check" in sys.argv:
            print(f"{name} is not what the code says: make docs", file=sys.stderr)
            stale = 1
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            print(f"wrote {name}")
    return stale


if __name__ == "__main__":
    sys.exit(main())
