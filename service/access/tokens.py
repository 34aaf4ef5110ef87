"""Random tokens that are shown once and kept only as a digest."""

import hashlib
import secrets
import string

ALPHABET = string.ascii_letters + string.digits
API_KEY_PREFIX = "st_"
API_KEY_LENGTH = 32


def new_session_token() -> str:
    return secrets.token_urlsafe(32)


def new_api_key() -> str:
    """`st_` and 32 letters and digits: 190 bits, so a plain digest of it cannot be reversed by guessing."""
    return API_KEY_PREFIX + "".join(secrets.choice(ALPHABET) for _ in range(API_KEY_LENGTH))


def digest_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
