"""The composition root: settings in, a running gateway out. The one room that names a concrete store.

Nothing is imported here, so that commands which need no server find its parts without the server's libraries.
"""
