"""The gateway's own interfaces as documents, and the chapters of its own reference as they are shipped."""
