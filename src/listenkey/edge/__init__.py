"""Sockets: listeners, HTTP and WebSocket, the venue's calls and streams, the native stream, the admin
listener.

Nothing here decides what a protocol says; it is read by `wire`, decided by `core`, done by `service`.
"""
