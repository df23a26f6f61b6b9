"""The client: private user-data streams of venues, and of a gateway, held open.

`listenkey.open_stream` is the way in. Nothing here needs the server's packages.
"""
