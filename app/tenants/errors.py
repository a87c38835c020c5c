"""What goes wrong when tenants are administered; no text holds a secret."""

from app.errors import DatabaseError


class RepositoryError(Exception):
    """A change of tenants or keys was refused; nothing was changed. The text says why, for the operator."""


class Missing(RepositoryError):
    """There is no such tenant, key, or staged login."""


class Conflict(RepositoryError):
    """The id is in use, or somebody else has changed the tenant meanwhile."""


class MasterKeyMissing(DatabaseError):
    """Secrets in the database are encrypted with a master key that is not configured."""

    def __init__(self, key_id: str) -> None:
        super().__init__(
            f"Secrets in the database are encrypted with the master key {key_id}, which is not configured. Name it in"
            " MASTER_KEY or MASTER_KEY_FILE, behind the current one if there is one."
        )
        self.key_id = key_id


class SecretDamaged(DatabaseError):
    """A secret in the database is not what the gateway wrote there for this tenant."""
