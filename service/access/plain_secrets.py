"""What an earlier version stored as it was: the secrets of sign-in providers. A start seals them and erases the rest."""

import logging

from sqlalchemy import Column, MetaData, Table, Text, Uuid, delete, inspect, select
from sqlalchemy.orm import Session

from service.access.provider_settings import SECRET_NAME
from service.database import Database
from service.secrets.vault import Vault

log = logging.getLogger(__name__)

provider_secrets = Table(
    "provider_secrets",
    MetaData(),
    Column("provider_id", Uuid, primary_key=True),
    Column("secret", Text, nullable=False),
)


def seal_plain_secrets(database: Database, vault: Vault) -> None:
    """All or nothing; nothing to do on a database without that table. Raises KeyTrouble, and then they stay as they are."""
    if not inspect(database.engine).has_table(provider_secrets.name):
        return
    with database.writing() as session:
        _overwrite_what_is_deleted(session)
        rows = session.execute(select(provider_secrets)).all()
        for row in rows:
            vault.put(session, row.provider_id, SECRET_NAME, row.secret)
        session.execute(delete(provider_secrets))
        provider_secrets.drop(session.connection())
    _empty_write_ahead_log(database)
    log.info("secrets of sign-in providers are sealed now number=%d", len(rows))


def _overwrite_what_is_deleted(session: Session) -> None:
    """SQLite would leave it in the file until something else is written there."""
    if session.get_bind().dialect.name == "sqlite":
        session.connection().exec_driver_sql("PRAGMA secure_delete = ON")


def _empty_write_ahead_log(database: Database) -> None:
    if database.engine.dialect.name == "sqlite":
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
