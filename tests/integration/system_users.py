"""Users and PAM services that are made for one test and go with it."""

import os
import random
import subprocess
from pathlib import Path

from attrs import frozen

PASSWORD = "right horse"
UIDS = range(40_000, 59_000)

# Without Debian's common-auth, so that nothing of this machine decides.
STACK = "auth required pam_unix.so\naccount required pam_unix.so\n"


@frozen
class User:
    name: str
    uid: int
    home: Path


def random_name():
    return f"mt{random.randrange(36**8):x}"


def add_user(case, password=PASSWORD):
    """A user of the machine, with a group and a home of its own; `case` removes it."""
    name, uid = random_name(), random.choice(UIDS)
    run("useradd", "--create-home", "--uid", uid, "--user-group", name)
    case.addCleanup(run, "userdel", "--remove", "--force", name)
    if password:
        run("chpasswd", said=f"{name}:{password}\n")
    return User(name, uid, Path("/home", name))


def add_service(case, stack=STACK):
    """The name of a PAM service; `case` removes it."""
    path = Path("/etc/pam.d", random_name())
    path.write_text(stack)
    case.addCleanup(path.unlink)
    return path.name


def family(pid):
    """The process and those that come from it."""
    pids = [pid]
    for each in pids:
        for task in Path(f"/proc/{each}/task").glob("*/children"):
            pids += [int(child) for child in task.read_text().split()]
    return set(pids)


def run(*arguments, said=""):
    done = subprocess.run(
        [str(word) for word in arguments],
        input=said,
        text=True,
        capture_output=True,
        timeout=30,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    if done.returncode:
        raise AssertionError(f"{arguments[0]}: {done.stdout}{done.stderr}")
