"""One batch of new files, from memory to durable: blocks, so it runs in a thread.

Always in this order: write to tmp/, make the data durable, rename, sync each directory
once (or, where the data went by one syncfs, all directories by another).  A crash
between any two system calls leaves a file whole in new/ (or cur/) or not at all; what
stays in tmp/ is removed by `stale` after the Maildir rule's 36 hours.  A file that
fails takes its draft with it and does not touch its neighbours.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence

from attrs import define, field, frozen

from ...directory.model import Account
from ...errors import MailError
from . import durable
from .admission import Admission, Room
from .filesystem import FileSystem, FileSystems
from .ledger import Crossing
from .spool import Spool


@frozen(eq=False)
class NewFile:
    """A file to be: `prefix` and then the content, as MAILDIR/INTO/NAME.

    `name` must be unique for all time up to its first colon (names.UniqueNames).  A
    spool whose `head` is `prefix` may itself become the file.
    """

    maildir: str  # folder that has tmp, new and cur
    name: str
    into: str  # "new" or "cur"
    content: tuple[bytes, ...] | Spool = field(repr=False)
    prefix: bytes = field(default=b"", repr=False)
    internal_date: int | None = None  # seconds since 1970 for the file's mtime
    room: Room | None = None  # what it counts towards; None for what counts otherwise

    @property
    def octets(self) -> int:
        """Its size."""
        content = self.content
        rest = content.octets if isinstance(content, Spool) else sum(map(len, content))
        return len(self.prefix) + rest

    @property
    def folder(self) -> str:
        """The directory that it will be in."""
        return f"{self.maildir}/{self.into}"

    @property
    def draft(self) -> str:
        """Where it is written."""
        return f"{self.maildir}/tmp/{self.name.partition(':')[0]}"

    @property
    def parts(self) -> list[bytes]:
        """The octets, if they are in memory."""
        content = self.content
        return [
            self.prefix,
            *(content.parts if isinstance(content, Spool) else content),
        ]


@define(eq=False)
class Job:
    """A file on its way; `fault` is the answer if it is not None in the end."""

    file: NewFile
    draft: str
    staged: bool = False  # the draft is written and durable already
    fault: MailError | None = None
    cause: BaseException | None = None  # for the log
    descriptor: int = -1  # of a draft that waits for its fsync
    made: bool = False  # the draft at `draft` is there and ours to remove
    system: FileSystem | None = None  # where the draft is

    def fails(self, cause: OSError) -> None:
        """Answer with the fault of `cause`; the draft goes."""
        self.cause = cause
        left = self.refused(durable.fault_of(cause))
        if left is not None:
            cause.add_note(f"{self.draft} stays: {left.strerror}")

    def refused(self, fault: MailError) -> OSError | None:
        """Answer with `fault`; the draft goes.  The reason if it cannot."""
        self.fault = fault
        self.drop()
        if self.made:
            self.made = False
            try:
                os.unlink(self.draft)
            except OSError as left:
                return left
        return None

    def drop(self) -> None:
        """Close what is open; how that goes changes nothing any more."""
        with contextlib.suppress(OSError):
            self.close()

    def close(self) -> None:
        """Close the draft; raises OSError, which is a write that failed late."""
        if self.descriptor >= 0:
            descriptor, self.descriptor = self.descriptor, -1
            os.close(descriptor)


def commit(
    jobs: Sequence[Job], systems: FileSystems, now: Callable[[], float]
) -> list[tuple[Account, list[Crossing]]]:
    """Make every job's file durable and visible, or give the job its fault.

    `now` is a monotonic clock in seconds.  The thresholds that were passed, by account.
    Never raises OSError.
    """
    admission = Admission(jobs)
    jobs = [job for job in jobs if job.fault is None]
    try:
        by_system: dict[FileSystem, list[Job]] = {}
        for job in jobs:
            _open(job, systems)
            if job.system is not None and not job.staged:
                by_system.setdefault(job.system, []).append(job)
        together = {
            system
            for system, drafts in by_system.items()
            if _write(drafts, system, now)
        }
        renamed: dict[FileSystem, dict[str, list[Job]]] = {}
        for job in jobs:
            if job.system is not None and job.fault is None and _rename(job):
                folders = renamed.setdefault(job.system, {})
                folders.setdefault(job.file.folder, []).append(job)
        for system, folders in renamed.items():
            _sync_folders(system, folders, together=system in together)
    finally:
        for job in jobs:
            job.drop()
        admission.end()
    return admission.crossings


# -- durable in tmp/ --------------------------------------------------------------


def _open(job: Job, systems: FileSystems) -> None:
    """The draft, empty, and the file system that it is on: known before the first octet
    is written."""
    try:
        if job.staged:
            job.system = systems.at(job.file.folder)
            return
        job.descriptor = durable.create(job.draft)
        job.made = True
        job.system = systems.of(job.descriptor, job.file.maildir)
    except OSError as cause:
        job.fails(cause)


def _write(jobs: list[Job], system: FileSystem, now: Callable[[], float]) -> bool:
    """True if it was one syncfs that made them durable."""
    if system.together(len(jobs)):
        for job in jobs:
            _fill(job, close=True)
        start = now()
        try:
            durable.syncfs(system.descriptor)
        except OSError as cause:  # it tells not which file it was
            for job in jobs:
                if job.fault is None:
                    job.fails(cause)
        system.took(True, len(jobs), now() - start)
        return True
    for job in jobs:
        _fill(job)
    start = now()
    _sync_each(jobs)
    system.took(False, len(jobs), now() - start)
    return False


def _fill(job: Job, *, close: bool = False) -> None:
    """Write the file in tmp/."""
    try:
        durable.write_all(job.descriptor, job.file.parts)
        _set_date(job.descriptor, job.file)
        if close:
            job.close()
    except OSError as cause:
        job.fails(cause)


def _set_date(descriptor: int, file: NewFile) -> None:
    if file.internal_date is not None:
        os.utime(descriptor, (file.internal_date, file.internal_date))


def _sync_each(jobs: Iterable[Job]) -> None:
    waiting = [job for job in jobs if job.fault is None]
    if len(waiting) > 1:  # all on their way to the disk before the first is awaited
        for job in waiting:
            durable.start_writeback(job.descriptor, 0, 0)
    for job in waiting:
        try:
            os.fsync(job.descriptor)
        except OSError as cause:
            job.fails(cause)
        else:
            job.drop()


# -- visible ----------------------------------------------------------------------


def _rename(job: Job) -> bool:
    file = job.file
    try:
        os.rename(job.draft, f"{file.folder}/{file.name}")
    except OSError as cause:
        job.fails(cause)
        return False
    job.made = False
    content = file.content
    if isinstance(content, Spool) and content.path == job.draft:
        content.renamed = True
    return True


def _sync_folders(
    system: FileSystem, folders: dict[str, list[Job]], *, together: bool
) -> None:
    """`folders` are paths and what was renamed into them."""
    if together and len(folders) > 1:
        try:
            durable.syncfs(system.descriptor)
        except OSError as cause:
            for renamed in folders.values():
                _take_back(renamed, cause)
        return
    for path, renamed in folders.items():
        try:
            durable.sync_directory(path)
        except OSError as cause:
            _take_back(renamed, cause)


def _take_back(renamed: list[Job], cause: OSError) -> None:
    """Visible, but perhaps not for long: the sender will come again, so what no reader
    has moved yet goes."""
    for job in renamed:
        job.draft, job.made = f"{job.file.folder}/{job.file.name}", True
        job.fails(cause)


# -- large messages, ahead of the batch -------------------------------------------


def stage(jobs: Sequence[Job]) -> None:
    """Make the drafts of files whose spool is on disk, durable and ready to rename.

    The spool's own file becomes the draft of the first job that it fits; the others get
    copies that the kernel makes.  Runs in a thread of its own, because copying 50 MB
    must not keep small messages waiting.  Never raises OSError.
    """
    own = next((job for job in jobs if _fits(job.file)), None)
    for job in jobs:
        if job is not own:
            _copy(job)
            job.drop()
    if own is not None:
        _take_spool(own)
    for spool in {job.file.content for job in jobs}:
        if isinstance(spool, Spool):
            spool.put_back()


def _fits(file: NewFile) -> bool:
    spool = file.content
    return isinstance(spool, Spool) and spool.head == file.prefix and not spool.renamed


def _copy(job: Job) -> None:
    spool = job.file.content
    try:
        job.descriptor = durable.create(job.draft)
        job.made = True
        durable.write_all(job.descriptor, [job.file.prefix])
        if isinstance(spool, Spool):
            durable.copy_rest(spool.open_descriptor(), len(spool.head), job.descriptor)
        _set_date(job.descriptor, job.file)
        os.fsync(job.descriptor)
    except OSError as cause:
        job.fails(cause)
    job.staged = True


def _take_spool(job: Job) -> None:
    """The spool's file is the draft; on failure the spool removes it itself."""
    spool = job.file.content
    try:
        if isinstance(spool, Spool):
            descriptor = spool.open_descriptor()
            _set_date(descriptor, job.file)
            os.fsync(descriptor)
            job.draft = spool.path
    except OSError as cause:
        job.fails(cause)
    job.staged = True
