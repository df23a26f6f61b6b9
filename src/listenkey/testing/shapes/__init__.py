"""How what a ledger holds looks on a stream and in REST answers: data in TOML, one file a stream."""
