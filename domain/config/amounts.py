"""Amounts of bytes as people write them."""

import re

AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:I?B)?", re.IGNORECASE)
POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def num_bytes(written: str) -> int | None:
    """Of 20GB, 500M or a plain number; units count by 1024. None for what is no amount."""
    match = AMOUNT.fullmatch(written.strip())
    return int(float(match[1]) * 1024 ** POWERS[match[2].upper()]) if match else None
