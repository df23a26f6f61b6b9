"""Open sockets, for the administrator to see and to end."""

from listenkey.base.errors import Refused
from listenkey.service.outlet import Outlet


class Connections:
    """Every outlet that is open, by its id, oldest first."""

    def __init__(self) -> None:
        self._open: dict[str, Outlet] = {}

    def register(self, outlet: Outlet) -> None:
        """A socket opened."""
        self._open[outlet.id] = outlet

    def unregister(self, outlet: Outlet) -> None:
        """The socket is gone."""
        self._open.pop(outlet.id, None)

    def __len__(self) -> int:
        return len(self._open)

    def all(self) -> list[Outlet]:
        """Every open socket, oldest first."""
        return list(self._open.values())

    def close(self, outlet_id: str) -> None:
        """End a socket. Errors: `unknown_connection`."""
        outlet = self._open.get(outlet_id)
        if outlet is None:
            raise Refused(
                "there is no such connection",
                "list the connections to see their ids",
                code="unknown_connection",
            )
        outlet.close("operator")

    def close_all(self, kind: str) -> None:
        """End every socket, as when the process ends."""
        for outlet in self.all():
            outlet.close(kind)
