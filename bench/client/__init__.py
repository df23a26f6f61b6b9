"""Clients side by side: programs that read the same frames, and the server that replays them."""
