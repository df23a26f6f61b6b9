"""One thing that is wrong with the configuration."""

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """Where, what, and what to do about it."""

    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.remedy}"
