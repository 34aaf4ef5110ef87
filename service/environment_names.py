"""Friendly names for new environments."""

import secrets

from sqlalchemy.orm import Session

from service.read_models.environment import taken_names

ADJECTIVES = (
    *("amber", "brave", "bright", "calm", "clever", "coral", "cosy", "crisp", "curious", "daring", "dapper", "eager"),
    *("early", "fabled", "fair", "fluffy", "gentle", "glad", "golden", "grand", "happy", "hidden", "humble", "icy"),
    *("jolly", "keen", "kind", "late", "lively", "lucky", "lunar", "mellow", "merry", "mighty", "misty", "modest"),
    *("neat", "noble", "patient", "playful", "polite", "proud", "quick", "quiet", "rapid", "rosy", "royal", "rustic"),
    *("shiny", "silent", "silver", "sleepy", "smooth", "snowy", "solar", "steady", "sunny", "swift", "tidy", "tiny"),
    *("velvet", "vivid", "warm", "wild", "wise", "witty", "young", "zesty"),
)
NOUNS = (
    *("acorn", "badger", "beacon", "birch", "brook", "canvas", "cedar", "cloud", "comet", "coral", "crane", "dune"),
    *("easel", "ember", "falcon", "fern", "finch", "fjord", "fox", "garden", "glacier", "harbour", "hare", "heron"),
    *("island", "ivy", "jasmine", "kestrel", "lagoon", "lantern", "lark", "lynx", "maple", "marble", "meadow", "moth"),
    *("nebula", "oak", "orchid", "otter", "owl", "palette", "panda", "pebble", "pine", "planet", "poppy", "prism"),
    *("quill", "raven", "reef", "ridge", "river", "robin", "saffron", "seal", "sketch", "sparrow", "summit", "swan"),
    *("tiger", "tulip", "valley", "violet", "walnut", "willow", "wren", "yarrow"),
)
NUM_TRIES = 20
MAX_NUMBER = 10_000


def unused_name(session: Session) -> str:
    """Two words that no environment is called by; with a number when nearly all of them are taken."""
    names = [f"{secrets.choice(ADJECTIVES)}-{secrets.choice(NOUNS)}" for _ in range(NUM_TRIES)]
    names += [f"{name}-{secrets.randbelow(MAX_NUMBER)}" for name in names]
    taken = taken_names(session, names)
    free = (name for name in names if name not in taken)
    return next(free, secrets.token_hex(8))
