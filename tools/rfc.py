"""RFC references in the code, held against docs/rfc.tsv, and the coverage page from it.

docs/rfc.tsv has a line for each RFC: number, status (Yes, Partial, Planned, No), title,
and the section numbers that may be cited.  With --check the page and every reference
must be right; with --sections DIR the section numbers are read anew from rfcNNNN.txt.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
TABLE, PAGE = ROOT / "docs/rfc.tsv", ROOT / "docs/rfc-coverage.md"
STATUSES = ("Yes", "Partial", "Planned", "No")
PLACES = ("mailtwist", "tests", "tools", "docs")

REFERENCE = re.compile(
    r"RFC[ \n#]+(\d{3,5})(?:[ \n#]*§§?[ \n#]*([0-9A-Z][0-9A-Za-z.]*))?"
)
HEADING = re.compile(
    r"^ {0,3}((?:[1-9A-Z]\d{0,2})(?:\.\d+)*)\.? {1,12}\S", re.MULTILINE
)
APPENDIX = re.compile(r"^ {0,3}Appendix ([A-Z])\b", re.MULTILINE | re.IGNORECASE)

HEAD = """# RFC coverage

What is implemented, and where the code says so.  Printed from `rfc.tsv` by `make docs`;
`make check` fails if the code cites an RFC or a section that is not in that table.

| RFC | status | title | cited in |
| --- | --- | --- | --- |
"""


def table() -> dict[str, list[str]]:
    rows = [line.split("\t") for line in TABLE.read_text().splitlines() if line]
    return {row[0]: (row + ["", "", ""])[1:4] for row in rows}


def references():
    """(RFC, section or None, file, line) for every one in the tree."""
    for place in PLACES:
        for path in sorted((ROOT / place).rglob("*")):
            if path.suffix not in (".py", ".md", ".txt", ".sql") or path == PAGE:
                continue
            text = path.read_text(errors="replace")
            for found in REFERENCE.finditer(text):
                section = found[2] and found[2].rstrip(".")
                line = text.count("\n", 0, found.start()) + 1
                yield found[1], section, path.relative_to(ROOT), line


def page(rows) -> str:
    cited: dict[str, dict[str, None]] = {}
    for rfc, _, path, _ in references():
        if path.parts[0] == "mailtwist":
            cited.setdefault(rfc, {})[str(path)] = None
    lines = [HEAD]
    for rfc, (status, title, _) in rows.items():
        links = ", ".join(
            f"[{path.removeprefix('mailtwist/')}](../{path})"
            for path in cited.get(rfc, {})
        )
        lines.append(f"| {rfc} | {status} | {title} | {links} |\n")
    return "".join(lines)


def faults(rows):
    for rfc, (status, _, _) in rows.items():
        if status not in STATUSES:
            yield f"docs/rfc.tsv: RFC {rfc} has the status {status!r}"
    cited = set()
    for rfc, section, path, line in references():
        cited.add((rfc, path.parts[0]))
        if rfc not in rows:
            yield f"{path}:{line}: RFC {rfc} is not in docs/rfc.tsv"
        elif section and rows[rfc][2] and section not in rows[rfc][2].split():
            yield f"{path}:{line}: RFC {rfc} has no section {section}"
    for rfc, (status, _, _) in rows.items():
        if status in ("Yes", "Partial") and (rfc, "mailtwist") not in cited:
            yield f"docs/rfc.tsv: RFC {rfc} is {status}, but no code cites it"


def read_sections(folder: Path) -> None:
    rows = table()
    for rfc, row in rows.items():
        source = folder / f"rfc{rfc}.txt"
        if source.exists():
            text = source.read_text(errors="replace")
            found = {*HEADING.findall(text), *APPENDIX.findall(text)}
            row[2] = " ".join(sorted(found))
    TABLE.write_text(
        "".join("\t".join([rfc, *row]).rstrip() + "\n" for rfc, row in rows.items())
    )


def main() -> int:
    if "--sections" in sys.argv:
        read_sections(Path(sys.argv[sys.argv.index("--sections") + 1]))
    rows = table()
    wrong = list(faults(rows))
    text = page(rows)
    if "--check" in sys.argv:
        if not PAGE.exists() or PAGE.read_text() != text:
            wrong.append("docs/rfc-coverage.md is not what the code says: make docs")
    else:
        PAGE.write_text(text)
    for fault in wrong:
        print(fault, file=sys.stderr)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
