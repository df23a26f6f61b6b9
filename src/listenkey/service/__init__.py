"""Use cases: what the gateway does for an API key, a publisher or an administrator.

Reads the clock once an input, asks `core` through the store, and opens no socket.
"""
