"""Passwords: argon2id digests, in a table that events never see."""

from collections.abc import Collection
from functools import cache
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Column, Table, Text, Uuid, delete, insert, select
from sqlalchemy.orm import Session

from domain.errors import InvalidInput
from service.database import metadata

passwords = Table(
    "passwords",
    metadata,
    Column("user_id", Uuid, primary_key=True),
    Column("digest", Text, nullable=False),
)

MIN_LENGTH = 8
MAX_LENGTH = 1000
_hasher = PasswordHasher()


def check_password_rules(password: str, *, names: Collection[str] = (), path: str = "password") -> None:
    """names: what belongs to the person and would be guessed first. Raises InvalidInput."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise InvalidInput(
            f"a password has {MIN_LENGTH} to {MAX_LENGTH} characters; this one has {len(password)}", path=(path,)
        )
    if password.casefold() in {name.casefold() for name in names}:
        raise InvalidInput("that password is your own name or address; choose another", path=(path,))
    if password.casefold() in common_passwords():
        raise InvalidInput(
            "that password is on the lists that are tried first; choose another, for example three unrelated words",
            path=(path,),
        )


@cache
def common_passwords() -> frozenset[str]:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # noqa: PLC0415  slow import

    return frozenset(word for word in FREQUENCY_LISTS["passwords"] if len(word) >= MIN_LENGTH)


def digest_password(password: str) -> str:
    """Takes a tenth of a second or more, on purpose: call it in a thread."""
    return _hasher.hash(password)


def write_digest(session: Session, user_id: UUID, digest: str) -> None:
    session.execute(delete(passwords).where(passwords.c.user_id == user_id))
    session.execute(insert(passwords).values(user_id=user_id, digest=digest))


def find_digest(session: Session, user_id: UUID) -> str:
    """For a user without a password, a digest that nothing matches, so that the check takes as long as ever."""
    return session.scalar(select(passwords.c.digest).where(passwords.c.user_id == user_id)) or nobodys_digest()


@cache
def nobodys_digest() -> str:
    """Made when it is first needed: at the start it would cost a tenth of a second."""
    return _hasher.hash("the password of nobody")


def is_right(digest: str, password: str) -> bool:
    """Takes a tenth of a second or more, on purpose: call it in a thread."""
    try:
        return _hasher.verify(digest, password) and digest != nobodys_digest()
    except (VerificationError, InvalidHashError):
        return False
