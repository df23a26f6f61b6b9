"""Passing what the gateway does not serve to the venue: calls, and sockets that carry no listen key.

Nothing is read into what passes, nothing is kept, and nothing is ever sent twice.
"""
