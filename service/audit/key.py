"""The key of the event chain: 32 random bytes, in SIMPLETUNER_AUDIT_KEY or in a file of the workspace, made once."""

import os
import secrets
from pathlib import Path

from service.settings import Settings, SettingsError

KEY_FILE = "audit.key"
KEY_BYTES = 32


def ensure_audit_key(settings: Settings) -> bytes:
    """Made when there is none. Raises SettingsError for what is no key: another one would look like a forgery."""
    path = settings.workspace / KEY_FILE
    try:
        if settings.audit_key is None and not path.exists():
            _write_once(path, secrets.token_hex(KEY_BYTES))
    except OSError as error:
        raise SettingsError(f"{path} cannot be made: {error.strerror}; it keeps the key of the audit log") from error
    return read_audit_key(settings)


def read_audit_key(settings: Settings) -> bytes:
    """Raises SettingsError when there is none."""
    if settings.audit_key is not None:
        return _key_from(settings.audit_key, place="SIMPLETUNER_AUDIT_KEY")
    path = settings.workspace / KEY_FILE
    try:
        written = path.read_text("ascii", errors="replace")
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read: {error.strerror}; it keeps the key of the audit log, or SIMPLETUNER_AUDIT_KEY does"
        ) from error
    return _key_from(written, place=str(path))


def _key_from(written: str, *, place: str) -> bytes:
    try:
        key = bytes.fromhex(written.strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise SettingsError(
            f"{place} holds no key, which is {2 * KEY_BYTES} hexadecimal digits; put back the one that was there"
        )
    return key


def _write_once(path: Path, text: str) -> None:
    """Whole or not at all, for its owner alone; of several at once the first one wins."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{text}\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
