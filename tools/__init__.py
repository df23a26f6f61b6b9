"""What keeps the repository in order; run as `python -m tools.NAME`, never shipped."""
