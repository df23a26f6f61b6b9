"""The reference: what each dialect's users look up, made from the dialects alone.

Pages, programs, collections and API descriptions are all written from `describe`. Nothing here knows a
venue's name, opens a socket, or imports the server.
"""
