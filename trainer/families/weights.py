"""Digests of weights, remembered by the files that they were loaded from, so that a start need not read gigabytes again.

A digest is remembered for files as they are: path, inode, size and times. It is believed only where the last of these times
lies a while before anything was loaded, for then nobody has changed the files meanwhile; see trainer.data.digests.
"""

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from torch import nn

from trainer.data.digests import MARGIN_SECONDS

WEIGHTS_FILE = "weights.json"
LOCK_FILE = "weights.lock"
MAX_REMEMBERED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightDigests:
    """folder: of what is remembered. seen_at: seconds since 1970, before anything was loaded. variant: of the weights' files."""

    folder: Path
    seen_at: float
    variant: str | None = None

    def of(self, module: nn.Module) -> str:
        """What digest_of says of a module that is as it was loaded."""
        key = self._key(module)
        if key is None:
            return digest_of(module)
        known = _read(self.folder).get(key)
        if known is not None:
            return known
        digest = digest_of(module)
        if self._key(module) == key:
            _remember(self.folder, key, digest)
        return digest

    def _key(self, module: nn.Module) -> str | None:
        """None where nobody can say from which files it is, or these may have changed since."""
        source = _config_of(module).get("_name_or_path")
        folder = Path(source or "").absolute()
        if not source or not folder.is_dir():
            return None
        files = []
        for path in (folder.parent, folder, *sorted(folder.rglob("*"))):
            status = path.stat()
            if max(status.st_mtime, status.st_ctime, path.lstat().st_ctime) > self.seen_at - MARGIN_SECONDS:
                return None
            version = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            files.append((os.path.realpath(path), version))
        held = [(name, str(each.dtype), tuple(each.shape)) for name, each in sorted(module.state_dict().items())]
        told = [diffusers.__version__, transformers.__version__, self.variant, type(module).__qualname__]
        written = json.dumps([*told, _settings_of(module), files, held])
        return blake2b(written.encode(), digest_size=16).hexdigest()


UNTOLD = ("_", "transformers_version", "architectures", "dtype", "torch_dtype")
"""How settings begin that say who wrote a configuration, or what its weights tell."""


def digest_of(module: nn.Module) -> str:
    """A digest of a module's weights and its configuration, such as the scaling factor of an autoencoder."""
    digest = blake2b(_settings_of(module).encode(), digest_size=16)
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _settings_of(module: nn.Module) -> str:
    settings = _config_of(module)
    if not settings:
        return ""
    told = {key: settings[key] for key in settings if not key.startswith(UNTOLD)}
    cuts = {key: True for key in ("use_tiling", "use_slicing") if getattr(module, key, False)}
    return json.dumps(told | cuts, sort_keys=True, default=str)


def _config_of(module: nn.Module) -> dict[str, Any]:
    """As diffusers and transformers keep it; a plain module has none."""
    config = getattr(module, "config", None)
    if config is None:
        return {}
    return dict(config) if isinstance(config, Mapping) else {"_name_or_path": config._name_or_path, **config.to_dict()}


def _read(folder: Path) -> dict[str, str]:
    """Nothing where the file is missing or not whole: then all are digested again."""
    try:
        return {str(key): str(digest) for key, digest in json.loads((folder / WEIGHTS_FILE).read_bytes()).items()}
    except (FileNotFoundError, ValueError, AttributeError):
        return {}


def _remember(folder: Path, key: str, digest: str) -> None:
    """Beside what others have written meanwhile; the newest, as many as may be."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK_FILE).open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        digests = [*_read(folder).items(), (key, digest)][-MAX_REMEMBERED:]
        temporary = folder / f".{WEIGHTS_FILE}"
        temporary.write_text(json.dumps(dict(digests)))
        os.replace(temporary, folder / WEIGHTS_FILE)
