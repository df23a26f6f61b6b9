"""The composition root: settings in, a running gateway out. The one room that names a concrete store."""

from listenkey.app.offline import offline_store, restore_store
from listenkey.app.serve import serve

__all__ = ["offline_store", "restore_store", "serve"]
