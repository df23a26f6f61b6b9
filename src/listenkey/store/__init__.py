"""Where accounts, keys, journals and counters are kept. `base` says what a store does; the rest are stores.

Only the composition root names a concrete store.
"""
