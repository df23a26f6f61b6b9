"""What every room may use: errors, time, identifiers.

Imports nothing of ours.
"""
