"""Everything drawn at random is a function of the run's seed and of where it is used, so nothing needs to be saved."""

from hashlib import blake2b


def seed_for(purpose: str, *place: int) -> int:
    """A seed of 63 bits for one purpose at one place, for example seed_for("noise", seed, step, position)."""
    text = ":".join((purpose, *map(str, place)))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) >> 1
