"""What a run is given: the secrets of who asked for it, else the shared ones."""

from uuid import UUID

from domain.policy import POLICY_ID
from service.database import Database
from service.secrets.vault import Vault


def secrets_of_run(database: Database, vault: Vault, owner: UUID | None) -> dict[str, str]:
    """By name. owner: None for the command line, which has none of its own. Raises KeyTrouble."""
    with database.reading() as session:
        return vault.find_all(session, [POLICY_ID] if owner is None else [POLICY_ID, owner])
