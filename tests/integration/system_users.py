"""Users with passwords and PAM services that are made for one test and go with it."""

import secrets
from pathlib import Path

from tests.integration.users import Users

PASSWORD = "right horse"

# Without Debian's common-auth, so that nothing of this machine decides.
STACK = "auth required pam_unix.so\naccount required pam_unix.so\n"


def add_user(case, password=PASSWORD):
    """A user of the machine; `case` removes it."""
    users = Users()
    case.addCleanup(users.remove)
    user = users.add()
    if password:
        user.set_password(password)
    return user


def add_service(case, stack=STACK):
    """The name of a PAM service; `case` removes it."""
    path = Path("/etc/pam.d", f"mt{secrets.token_hex(4)}")
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
