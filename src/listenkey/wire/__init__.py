"""The wire, both ways, by dialect: requests and answers, frames, control requests, signatures, notices.

Pure: bytes and values in, bytes and values out. Nothing here may know a venue's name or do I/O.
"""
