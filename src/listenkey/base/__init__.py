"""What every room may use: errors, time, identifiers, names of metrics and log events.

Imports nothing of ours.
"""
