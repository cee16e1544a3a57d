"""`make run`: the whole server on loopback with a demo domain, and what to try."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
CONFIG = ROOT / "etc/dev.toml"
DATA = ROOT / "var"
ACCOUNTS = ("ann@example.test", "bob@example.test")
PASSWORD = "demo"  # noqa: S105 - of a server that only loopback reaches

HINTS = """
mailtwist runs on 127.0.0.1 with its data in var/.  Accounts: ann@example.test and
bob@example.test, password "demo".  The certificate is self-signed.

  SMTP 2525 · submission 2587 (STARTTLS) and 2465 (TLS)
  POP3 2110 (STLS) and 2995 (TLS) · IMAP 2143 (STARTTLS) and 2993 (TLS)
  ManageSieve 4190 (STARTTLS)

Send a mail to ann:
  swaks -s 127.0.0.1:2525 --to ann@example.test --from someone@example.org
Send as bob, with a login:
  swaks -s 127.0.0.1:2587 -tls -a PLAIN -au bob@example.test -ap demo \\
        --from bob@example.test --to ann@example.test
Read it:
  curl -k imaps://127.0.0.1:2993/INBOX -u ann@example.test:demo -X 'FETCH 1:* ENVELOPE'
  curl -k pop3s://127.0.0.1:2995/1 -u ann@example.test:demo
  mutt -f imaps://ann@example.test@127.0.0.1:2993/
Filter it, by the script that files junk:
  sieve-connect -s 127.0.0.1 -p 4190 -u ann@example.test --notlsverify \\
        --upload --localsieve etc/sieve/junk.sieve --remotesieve junk
By hand:
  ncat -C 127.0.0.1 2525
  openssl s_client -quiet -starttls imap -connect 127.0.0.1:2143
Thunderbird: server 127.0.0.1, the ports above, user ann@example.test.

Ctrl-C stops it.
"""


def mailtwist(*arguments, **options):
    command = [sys.executable, "-m", "mailtwist.cli", "--config", CONFIG, *arguments]
    return subprocess.run(command, check=True, text=True, **options)


def make_accounts() -> None:
    """The demo's accounts, unless they are there."""
    listed = mailtwist("user", "list", stdout=subprocess.PIPE).stdout.split()
    for name in ACCOUNTS:
        if name not in listed:
            mailtwist("user", "add", name, input=PASSWORD + "\n")


def main() -> None:
    DATA.mkdir(mode=0o700, exist_ok=True)
    make_accounts()
    print(HINTS, flush=True)
    os.chdir(DATA)
    arguments = [
        sys.executable,
        "-m",
        "mailtwist.cli",
        "--config",
        str(CONFIG),
        "serve",
    ]
    os.execv(sys.executable, arguments)  # noqa: S606 - our own interpreter


if __name__ == "__main__":
    main()
