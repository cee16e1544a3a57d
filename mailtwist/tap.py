"""What `twistd mailtwist` reads: its options and how they become a service."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.logger import ILogObserver, Logger
from twisted.python import usage

from . import __version__
from .config.load import load
from .config.model import Config
from .errors import ConfigError
from .log import setup

NO_FILE = """give a configuration: twistd mailtwist --config FILE

A commented sample is etc/mailtwist.toml in the source; `mailtwist config sample` prints
it.  `make run` in a checkout starts a whole server on loopback ports to try."""


class Options(usage.Options):
    """--config FILE, read and checked before anything is opened.

    A file that cannot be used ends the process with what is wrong and status 1.
    """

    synopsis = "[options]"
    longdesc = "Runs the mail server that a TOML file describes."
    optParameters = [["config", "c", None, "The TOML file that describes the server."]]
    parsed: Config
    where = ""
    tells_log = False  # whoever started twistd chose where the log goes

    def opt_version(self) -> None:
        """Print the version and exit."""
        print(f"mailtwist {__version__}")
        raise SystemExit(0)

    def postOptions(self) -> None:
        if self["config"] is None:
            raise SystemExit(f"mailtwist: {NO_FILE}")
        try:
            self.parsed = load(self["config"])
            self.where = os.path.abspath(self["config"])  # a daemon leaves this folder
        except ConfigError as fault:
            raise SystemExit(f"mailtwist: {fault}") from fault
        self._choose_log()

    def _choose_log(self) -> None:
        """Give twistd our observer, unless its own options ask for another."""
        twistd: Any = self.parent
        if twistd is None:
            return
        asked = any(twistd.get(name) for name in ("logger", "logfile", "syslog"))
        lost = self.parsed.log.to == "stdout" and not twistd.get("nodaemon")
        self.tells_log = bool(asked or lost)
        if not asked and not lost:
            _chosen.append(self.parsed)
            twistd["logger"] = f"{__name__}.twistd_observer"


_chosen: list[Config] = []  # twistd takes the name of a factory, and no argument


def twistd_observer() -> ILogObserver:
    """What twistd logs to; made after the fork, so that files belong to the daemon,
    and as the user that it is going to be."""
    from .service.privileges import acting_as

    config = _chosen[-1]
    with acting_as(config.process):
        return setup.observer(config.log)


def makeService(options: Options) -> IService:
    """The whole server, not started; opens nothing before startService."""
    from twisted.internet import reactor

    from .service.control import Control, Deed
    from .service.master import Master, count_of
    from .service.notify import Notifier

    sys.excepthook = tell_plainly
    data, server = options.parsed.server.data, MultiService()
    server.setName("mailtwist")
    notifier = Notifier(reactor, os.environ)
    if count_of(options.parsed) > 1 and not changes_user(options):
        text = Path(options.where).read_text()
        main: Any = Master(reactor, text, options.where, tells_log=options.tells_log)
        main.when_reloading, main.when_reloaded = notifier.reloading, notifier.ready
        deeds: Mapping[str, Deed] = {"status": main.state, "reload": main.reloaded}
    else:
        from .service.alone import deeds_of
        from .service.build import build

        main = build(options.parsed, reactor=reactor, embedded=False)
        deeds = deeds_of(main)
    for part in (main, Control(reactor, data, deeds), notifier):
        part.setServiceParent(server)
    return server


def changes_user(options: Options) -> bool:
    """True if twistd is to give root up: then it must be one process, as a master
    starts workers as long as it runs."""
    twistd: Any = options.parent
    if twistd is None or twistd.get("uid") is None and twistd.get("gid") is None:
        return False
    Logger("mailtwist").warn("one process only with --uid: name [process] user instead")
    return True


def tell_plainly(
    kind: type[BaseException], fault: BaseException, trace: TracebackType | None
) -> None:
    """A start that fails for the configuration needs no traceback."""
    if issubclass(kind, ConfigError):
        print(f"mailtwist: {fault}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, fault, trace)
