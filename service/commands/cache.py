"""`simpletuner cache`: the encodings that runs share, how much they take, and making room."""

from collections.abc import Sequence

from service.commands.workspace import say
from service.settings import GB, SettingsError, read_settings
from trainer import cache_files
from trainer.cache_files import CacheInUse, StoredShard


def show() -> int:
    settings = read_settings()
    shards = cache_files.shards_in(settings.cache)
    say(f"{settings.cache} has {_amount(shards)}, and may have {settings.cache_bytes / GB:g} GB.")
    needed = [shard for shard in shards if shard.is_needed]
    if needed:
        say(f"Runs that are alive need {_amount(needed)} of it.")
    return 0


def prune(*, limit_bytes: int | None) -> int:
    """limit_bytes: what may stay; None: as the settings say. Raises SettingsError while a run looks for encodings."""
    settings = read_settings()
    limit = settings.cache_bytes if limit_bytes is None else limit_bytes
    try:
        removed = cache_files.prune(settings.cache, limit_bytes=limit)
    except CacheInUse as error:
        raise SettingsError(str(error)) from error
    say(f"Removed {_amount(removed)}; {_amount(cache_files.shards_in(settings.cache))} stay.")
    return 0


def _amount(shards: Sequence[StoredShard]) -> str:
    return f"{sum(shard.num_bytes for shard in shards) / GB:.3f} GB in {len(shards)} files"
