"""One thread makes the files of all deliveries durable, together.

Always: write to tmp/, make the data durable, rename, sync each directory, answer.  The
thread takes everything that waits, so the batch grows with the load by itself.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Sequence
from threading import Condition, Thread
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ...errors import MailError, SystemBusy
from . import durable
from .spool import Spool

log = Logger()

Outcome = MailError | None

MOST_BATCH = 512  # files
MOST_WAITING = 50_000  # files; more are told to come back
SYNCFS_LEAST = 4  # files from which one syncfs is cheaper than an fsync each
SYNCFS_MOST_OCTETS = (
    16 << 20
)  # large files are synced one by one, nobody waits for them


@frozen
class NewFile:
    """A file to be: `prefix` and then the content, as MAILDIR/INTO/NAME."""

    maildir: str  # folder that has tmp, new and cur
    name: str
    into: str  # "new" or "cur"
    content: tuple[bytes, ...] | Spool
    prefix: bytes = b""


@frozen
class Request:
    files: Sequence[NewFile]
    done: Deferred[list[Outcome]]


class MaildirWriter:
    """Group commit for every caller of the process."""

    def __init__(self, reactor: Any, sync: str = "auto") -> None:
        self._reactor, self._sync = reactor, sync
        self._requests: deque[Request] = deque()
        self._waiting = 0  # files
        self._wake = Condition()
        self._closing = False
        self._thread: Thread | None = None
        self._systems: dict[int, int] = {}  # st_dev: descriptor kept for syncfs
        self._devices: dict[str, int] = {}  # maildir: st_dev

    def commit(self, files: Sequence[NewFile]) -> Deferred[list[Outcome]]:
        """One outcome for each file when all are durable; None is durable.

        A file that fails leaves nothing behind and does not hurt its neighbours.
        """
        done: Deferred[list[Outcome]] = Deferred()
        if self._closing or self._waiting > MOST_WAITING:
            done.callback([SystemBusy() for _ in files])
            return done
        if self._thread is None:
            self._thread = Thread(
                target=self._run, name="mailtwist-writer", daemon=True
            )
            self._thread.start()
        with self._wake:
            self._requests.append(Request(files, done))
            self._waiting += len(files)
            self._wake.notify()
        return done

    def close(self) -> Deferred[None]:
        """Fires when everything that waits is written and the thread has ended."""
        closed: Deferred[None] = Deferred()
        if self._thread is None:
            closed.callback(None)
            return closed
        with self._wake:
            self._closing, self._closed = True, closed
            self._wake.notify()
        return closed

    # -- in the thread --------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._requests and not self._closing:
                    self._wake.wait()
                if not self._requests:
                    break
                batch: list[Request] = []
                size = 0
                while self._requests and size < MOST_BATCH:
                    batch.append(self._requests.popleft())
                    size += len(batch[-1].files)
            try:
                outcomes = self._write([f for request in batch for f in request.files])
            except Exception:
                log.failure("writing a batch")
                outcomes = [MailError() for request in batch for _ in request.files]
            self._reactor.callFromThread(self._answer, batch, outcomes)
        for descriptor in self._systems.values():
            os.close(descriptor)
        self._reactor.callFromThread(self._closed.callback, None)

    def _answer(self, batch: list[Request], outcomes: list[Outcome]) -> None:
        at = 0
        for request in batch:
            count = len(request.files)
            self._waiting -= count
            request.done.callback(outcomes[at : at + count])
            at += count

    def _write(self, files: list[NewFile]) -> list[Outcome]:
        outcomes: list[Outcome] = [None] * len(files)
        drafts: list[str] = []
        octets = sum(
            len(part)
            for f in files
            if not isinstance(f.content, Spool)
            for part in f.content
        )
        together = self._sync == "syncfs" or (
            self._sync == "auto"
            and len(files) >= SYNCFS_LEAST
            and octets <= SYNCFS_MOST_OCTETS
        )
        devices = set()
        renamed: set[str] = set()
        for at, file in enumerate(files):
            draft = f"{file.maildir}/tmp/{file.name.partition(':')[0]}"
            if isinstance(file.content, Spool) and self._is_whole(file, renamed):
                renamed.add(file.content.path)
                draft = file.content.path
            drafts.append(draft)
            try:
                self._draft(file, draft, not together)
                if together:
                    devices.add(self._device(file.maildir))
            except OSError as cause:
                self._failed(at, file, drafts, outcomes, cause)
        if together:
            self._sync_systems(devices, files, drafts, outcomes)
        self._publish(files, drafts, outcomes)
        return outcomes

    @staticmethod
    def _is_whole(file: NewFile, taken: set[str]) -> bool:
        """True if the spool's own file is this file, still to be renamed."""
        spool = file.content
        return (
            isinstance(spool, Spool)
            and spool.descriptor is not None
            and spool.head == file.prefix
            and spool.path not in taken
        )

    def _draft(self, file: NewFile, draft: str, sync: bool) -> None:
        """The whole file in tmp/."""
        if isinstance(file.content, Spool) and draft == file.content.path:
            if file.content.descriptor is None:
                raise OSError(errno.EBADF, "spool was closed")
            os.fsync(file.content.descriptor)
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(draft, flags, 0o600)
        try:
            if not isinstance(file.content, Spool):
                durable.write_all(descriptor, [file.prefix, *file.content])
            elif (source := file.content.descriptor) is None:
                durable.write_all(descriptor, [file.prefix, *file.content.parts])
            else:
                durable.write_all(descriptor, [file.prefix])
                durable.copy_rest(source, len(file.content.head), descriptor)
            if sync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _device(self, maildir: str) -> int:
        device = self._devices.get(maildir)
        if device is None:
            device = self._devices[maildir] = os.stat(f"{maildir}/tmp").st_dev
            if device not in self._systems:
                self._systems[device] = os.open(
                    f"{maildir}/tmp", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
                )
            if len(self._devices) > MOST_WAITING:
                self._devices.clear()
        return device

    def _sync_systems(
        self,
        devices: set[int],
        files: list[NewFile],
        drafts: list[str],
        outcomes: list[Outcome],
    ) -> None:
        """One syncfs for each file system; a fault fails every file of the batch."""
        try:
            for device in devices:
                durable.syncfs(self._systems[device])
        except OSError as cause:
            for at, file in enumerate(files):
                if outcomes[at] is None:
                    self._failed(at, file, drafts, outcomes, cause)

    def _publish(
        self, files: list[NewFile], drafts: list[str], outcomes: list[Outcome]
    ) -> None:
        """Rename what is durable, then sync each directory once."""
        folders: dict[str, list[int]] = {}
        for at, file in enumerate(files):
            if outcomes[at] is not None:
                continue
            folder = f"{file.maildir}/{file.into}"
            try:
                os.rename(drafts[at], f"{folder}/{file.name}")
            except OSError as cause:
                self._failed(at, file, drafts, outcomes, cause)
            else:
                folders.setdefault(folder, []).append(at)
        for folder, members in folders.items():
            try:
                durable.sync_directory(folder)
            except OSError as cause:
                for at in members:
                    drafts[at] = f"{folder}/{files[at].name}"
                    self._failed(at, files[at], drafts, outcomes, cause)

    @staticmethod
    def _failed(
        at: int,
        file: NewFile,
        drafts: list[str],
        outcomes: list[Outcome],
        cause: OSError,
    ) -> None:
        log.error(
            "{path} cannot be written: {why}", path=drafts[at], why=cause.strerror
        )
        outcomes[at] = durable.fault_of(cause)
        if isinstance(file.content, Spool) and drafts[at] == file.content.path:
            return  # the spool removes its own file
        try:
            os.unlink(drafts[at])
        except OSError:
            return
