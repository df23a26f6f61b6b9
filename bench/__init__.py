"""Measurements of the gateway, each beside an anchor that was measured in the same run."""
