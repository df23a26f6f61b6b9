"""The errors a caller of `listenkey` can meet.

    ListenKeyError
    ├── ConfigError            a setting is wrong, unknown or missing
    ├── DialectError           a dialect file breaks the model or its lint
    ├── SecretError            the master secret is missing or does not fit the store
    ├── StoreError             the store cannot be used as asked
    │   ├── StoreLocked        another process holds the data folder
    │   ├── StoreForeign       the file is not ours, or is of a newer version
    │   ├── StoreDamaged       the file fails its integrity check
    │   ├── StoreReadOnly      the file or folder cannot be written
    │   └── StoreFull          the disk has no room; what was asked was not done
    └── Refused                a request that breaks a rule; `code` says which

Each carries a stable `code`, a message that says what happened, and a `remedy` that says what to do.
"""


class ListenKeyError(Exception):
    """Base of all errors raised on purpose."""

    code = "error"

    def __init__(self, message: str, remedy: str = "", *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}" if self.remedy else self.message


class ConfigError(ListenKeyError):
    """A setting is wrong, unknown or missing."""

    code = "config"


class DialectError(ListenKeyError):
    """A dialect file breaks the model or its lint."""

    code = "dialect"


class SecretError(ListenKeyError):
    """The master secret is missing or does not fit the store."""

    code = "master_secret"


class StoreError(ListenKeyError):
    """The store cannot be used as asked."""

    code = "store"


class StoreLocked(StoreError):
    """Another process holds the data folder."""

    code = "store_locked"


class StoreForeign(StoreError):
    """The file is not ours, or was written by a newer version."""

    code = "store_foreign"


class StoreDamaged(StoreError):
    """The file fails its integrity check."""

    code = "store_damaged"


class StoreReadOnly(StoreError):
    """The file or its folder cannot be written."""

    code = "store_read_only"


class StoreFull(StoreError):
    """The disk has no room; what was asked was not done."""

    code = "store_full"


class Refused(ListenKeyError):
    """A request that breaks a rule; `code` names the rule, as the admin listener answers it."""

    code = "refused"
