"""Where events come from inside the process. Sources do not know each other."""
