"""Further arguments of an optimizer, as the option `optimizer_config` has them: key=value with commas between them."""

import json

Setting = bool | int | float | str | None

WORDS: dict[str, Setting] = {"true": True, "false": False, "none": None}


def read_settings(written: str | None) -> dict[str, Setting]:
    """Raises ValueError for what is not written so."""
    settings: dict[str, Setting] = {}
    for each in filter(None, (part.strip() for part in (written or "").split(","))):
        key, equals, value = (piece.strip() for piece in each.partition("="))
        key = key.lstrip("-")
        if not equals or not key.isidentifier() or not value:
            raise ValueError(
                f"optimizer_config holds {each!r:.80}; write key=value with commas between them, such as d_coef=2,slice_p=11"
            )
        if key in settings:
            raise ValueError(f"optimizer_config says twice what {key} is; leave one of them")
        settings[key] = _read(value)
    return settings


def _read(value: str) -> Setting:
    if value.lower() in WORDS:
        return WORDS[value.lower()]
    try:
        number = json.loads(value)
    except ValueError:
        return value
    return number if isinstance(number, int | float) else value
