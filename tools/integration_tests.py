"""Run the integration tests, a module in a process of its own, three at a time.

Most of their time is waiting: for a daemon that starts, for a peer that is slow. Those
with the most tests go first, so that the end is not one long module alone.  What a
module printed is shown when it has ended; the status is 1 if any failed.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent
AT_ONCE = 3  # their two cores are half idle with two
RAN = re.compile(r"^Ran (\d+) tests? in", re.MULTILINE)


def main() -> int:
    modules = sorted(
        (ROOT / "tests" / "integration").glob("test_*.py"),
        key=lambda path: -path.read_text().count("def test_"),
    )
    failed: list[str] = []
    tests = 0
    with (
        tempfile.TemporaryDirectory(prefix="mailtwist-trial-") as folder,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        named = [(path.stem, Path(folder, path.stem)) for path in modules]
        for module, code, output, took_s in pool.map(run, named):
            ran = RAN.search(output)
            tests += int(ran.group(1)) if ran else 0
            print(output, end="")
            print(f"== {module}: {took_s:.0f} s, status {code}", flush=True)
            if code or not ran:
                failed.append(module)
    print(f"{tests} integration tests in {len(modules)} modules")
    if failed:
        print("FAILED: " + ", ".join(failed))
    return 1 if failed else 0


def run(named: tuple[str, Path]) -> tuple[str, int, str, float]:
    """(module, exit status, what it printed, seconds)"""
    module, folder = named
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-b", "-m", "twisted.trial", "--temp-directory", str(folder)]
        + [f"tests.integration.{module}"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return module, done.returncode, done.stdout, time.monotonic() - started


if __name__ == "__main__":
    raise SystemExit(main())
