"""The keys to sign with, in a folder of the data folder.

`keys.json` lists the keys of every domain and what each is for; beside it lies a folder
for each domain with a PEM file for each selector.  Only the owner can read any of it.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from attrs import asdict, evolve, frozen
from twisted.logger import Logger

from ..address import ascii_domain, normal_domain
from ..directory.owner import give_to_owner_of
from ..directory.reread import Reread
from ..errors import BadAddress, ConfigError
from ..trust.keys import BadKey, PrivateKey, new_key, private_key

log = Logger("mailtwist")

FOLDER, INDEX = "dkim", "keys.json"
NEXT, ACTIVE, RETIRED = "next", "active", "retired"
STATES = {
    NEXT: "to be published, not used yet",
    ACTIVE: "signs",
    RETIRED: "signs no more; its record stays until mail signed with it has arrived",
}


@frozen
class Key:
    """One key by its selector; `made` is a day."""

    selector: str
    algorithm: str
    state: str
    made: str

    @property
    def signs(self) -> bool:
        return self.state == ACTIVE


Index = dict[str, tuple[Key, ...]]


def read_index(path: str) -> Index:
    """Raises ConfigError; what is not there is empty."""
    try:
        said = json.loads(Path(path).read_text())
        return {
            str(domain): tuple(Key(**each) for each in keys)
            for domain, keys in said.items()
        }
    except FileNotFoundError:
        return {}
    except OSError as fault:
        raise ConfigError(f"{path}: cannot be read: {fault.strerror}") from fault
    except (ValueError, TypeError, AttributeError) as fault:
        raise ConfigError(f"{path}: is no list of keys") from fault


class KeyRing:
    """The keys in use; see delivery.signing.IKeys.  Changes are seen at once."""

    def __init__(self, data: str, seconds: Callable[[], float]) -> None:
        self._folder = Path(data, FOLDER)
        self._data, self._seconds = data, seconds
        self._index: Reread[Index] | None = None
        self._told = ""  # why there are no keys
        self._known: Index = {}
        self._loaded: dict[str, Sequence[PrivateKey]] = {}

    def of(self, domain: str) -> Sequence[PrivateKey]:
        """See IKeys."""
        self._look()
        found = self._loaded.get(domain)
        if found is None:
            found = self._loaded[domain] = self._load(domain)
        return found

    def sealing(self, domain: str) -> PrivateKey | None:
        """See IKeys.  RSA goes first, as more can check it."""
        self._look()
        for one in (domain, *self._known):
            keys = self.of(one)
            if keys:
                return min(keys, key=lambda key: key.algorithm != "rsa")
        return None

    def _look(self) -> None:
        try:
            if self._index is None:
                path = str(self._folder / INDEX)
                self._index = Reread(path, read_index, self._seconds)
            known = self._index()
        except ConfigError as fault:
            if str(fault) != self._told:
                self._told = str(fault)
                log.error("nothing is signed: {why}", why=self._told)
            known = {}
        if known is not self._known:
            self._known = known
            self._loaded.clear()

    def _load(self, domain: str) -> Sequence[PrivateKey]:
        found = []
        for key in self._known.get(domain, ()):
            if key.signs:
                path = pem_path(self._folder, domain, key.selector)
                try:
                    pem = path.read_bytes()
                    found.append(private_key(domain, key.selector, pem))
                except (OSError, BadKey) as fault:
                    log.error("{path}: cannot sign: {why}", path=path, why=str(fault))
        return found


def pem_path(folder: Path, domain: str, selector: str) -> Path:
    return folder / domain / f"{selector}.pem"


class KeyFolder:
    """The same folder, to change it: for commands."""

    def __init__(self, data: str) -> None:
        self.folder = Path(data, FOLDER)
        self._data = Path(data)

    def index(self) -> Index:
        """Raises ConfigError."""
        return read_index(str(self.folder / INDEX))

    def key(self, domain: str, selector: str) -> PrivateKey:
        """Raises ConfigError."""
        path = pem_path(self.folder, domain, selector)
        try:
            return private_key(domain, selector, path.read_bytes())
        except OSError as fault:
            raise ConfigError(f"{path}: cannot be read: {fault.strerror}") from fault
        except BadKey as fault:
            raise ConfigError(f"{path}: {fault}") from fault

    def add(
        self, domain: str, selector: str, algorithm: str, bits: int, day: str
    ) -> Key:
        """A new key that is not used yet.  Raises ConfigError, OSError."""
        index = self.index()
        keys = index.get(domain, ())
        path = pem_path(self.folder, domain, selector)
        if path.exists() or any(key.selector == selector for key in keys):
            raise ConfigError(f"{domain} has the selector {selector} already")
        self._make_folders(domain)
        self._write(path, new_key(algorithm, bits))
        key = Key(selector, algorithm, NEXT, day)
        self.put(index | {domain: (*keys, key)})
        return key

    def rotate(self, domain: str) -> tuple[Key, ...]:
        """What is next becomes active, what was active retires; raises ConfigError."""
        index = self.index()
        keys = index.get(domain, ())
        if not any(key.state == NEXT for key in keys):
            raise ConfigError(f"{domain} has no next key: mailtwist dkim keygen")
        becomes = {NEXT: ACTIVE, ACTIVE: RETIRED}
        turned = tuple(
            evolve(key, state=becomes.get(key.state, key.state)) for key in keys
        )
        self.put(index | {domain: turned})
        return turned

    def remove(self, domain: str, selector: str) -> None:
        """Raises ConfigError."""
        index = self.index()
        keys = index.get(domain, ())
        left = tuple(key for key in keys if key.selector != selector)
        if len(left) == len(keys):
            raise ConfigError(f"{domain} has no selector {selector}")
        del index[domain]
        self.put(index | ({domain: left} if left else {}))
        pem_path(self.folder, domain, selector).unlink(missing_ok=True)

    def put(self, index: Index) -> None:
        said: dict[str, Any] = {
            domain: [asdict(key) for key in keys] for domain, keys in index.items()
        }
        text = json.dumps(said, indent=1) + "\n"
        self._write(self.folder / INDEX, text.encode())

    def _make_folders(self, domain: str) -> None:
        for folder in (self.folder, self.folder / domain):
            if not folder.is_dir():
                folder.mkdir(mode=0o700)
                give_to_owner_of(self._data, folder)

    def _write(self, path: Path, octets: bytes) -> None:
        """All of it or nothing, durable, for its owner only."""
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        opened = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(opened, "wb") as file:
                file.write(octets)
                file.flush()
                os.fsync(file.fileno())
            give_to_owner_of(self._data, draft)
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def domain_name(text: str) -> str:
    """A domain as its folder is called; raises ConfigError."""
    try:
        found = ascii_domain(normal_domain(text))
    except BadAddress as bad:
        raise ConfigError(f"{text}: is no domain") from bad
    if found.startswith("["):
        raise ConfigError(f"{text}: is no domain")
    return found
