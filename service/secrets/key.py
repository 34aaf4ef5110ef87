"""The keys that secrets are sealed with: 32 random bytes each, in SIMPLETUNER_SECRET_KEY or in a file of the workspace.

The first one seals, the others only open what was sealed before them; there are several only while they are rotated.
Keys are read each time they are used: a few bytes, and nobody works with one that is not there any more.
"""

import hashlib
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from domain.errors import WrongState
from service.settings import Settings

KEY_FILE = "secret.key"
KEY_BYTES = 32
VARIABLE = "SIMPLETUNER_SECRET_KEY"


class KeyTrouble(WrongState):
    """A secret cannot be sealed or opened, for its key is missing, damaged or another one; the message says what to do."""


@dataclass(frozen=True, slots=True)
class SecretKey:
    """id: what a sealed value names its key by; it tells nothing of the key."""

    value: bytes = field(repr=False)

    @property
    def id(self) -> str:
        return hashlib.sha256(b"SimpleTuner secret key" + self.value).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Where the keys are. given: what the variable says, None when the file counts."""

    path: Path
    given: str | None = field(repr=False)

    @classmethod
    def of(cls, settings: Settings) -> "KeyRing":
        return cls(settings.workspace / KEY_FILE, settings.secret_key)

    @property
    def place(self) -> str:
        return VARIABLE if self.given is not None else str(self.path)

    def read(self) -> list[SecretKey]:
        """The newest first; none when there are none yet. Raises KeyTrouble for what is no key."""
        if self.given is not None:
            return [self._key(each) for each in self.given.split(",")]
        try:
            lines = self.path.read_text("ascii", errors="replace").split()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise KeyTrouble(
                f"{self.path} cannot be read: {error.strerror}; it keeps the key of the secrets, or {VARIABLE} does"
            ) from error
        if not lines:
            raise KeyTrouble(f"{self.path} is empty; put back what was there: without it, no stored secret can be read")
        return [self._key(line) for line in lines]

    def newest(self) -> SecretKey:
        """Made when there is none. Raises KeyTrouble."""
        keys = self.read()
        if not keys:
            try:
                _write_once(self.path, [new_key()])
            except OSError as error:
                raise KeyTrouble(
                    f"{self.path} cannot be made: {error.strerror}; it keeps the key of the secrets"
                ) from error
            keys = self.read()
        return keys[0]

    def find(self, key_id: str) -> SecretKey:
        """Raises KeyTrouble."""
        for key in self.read():
            if key.id == key_id:
                return key
        raise KeyTrouble(
            f"it was sealed with another key than that in {self.place}; put the earlier key back, or store the secret again"
        )

    def write(self, keys: Sequence[SecretKey]) -> None:
        """In place of those in the file. Raises KeyTrouble."""
        draft = self.path.with_name(f"{self.path.name}.{secrets.token_hex(4)}")
        try:
            _write(draft, keys)
            draft.replace(self.path)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise KeyTrouble(f"{self.path} cannot be written: {error.strerror}") from error

    def _key(self, written: str) -> SecretKey:
        try:
            value = bytes.fromhex(written.strip())
        except ValueError:
            value = b""
        if len(value) != KEY_BYTES:
            raise KeyTrouble(
                f"{self.place} holds no key, which is {2 * KEY_BYTES} hexadecimal digits; put back the one that was there"
            )
        return SecretKey(value)


def new_key() -> SecretKey:
    return SecretKey(secrets.token_bytes(KEY_BYTES))


def _write_once(path: Path, keys: Sequence[SecretKey]) -> None:
    """Whole or not at all; of several at once the first one wins."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        _write(draft, keys)
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink(missing_ok=True)


def _write(path: Path, keys: Sequence[SecretKey]) -> None:
    """For its owner alone, and on the disk before anything counts on it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(f"{key.value.hex()}\n" for key in keys)
        file.flush()
        os.fsync(file.fileno())
