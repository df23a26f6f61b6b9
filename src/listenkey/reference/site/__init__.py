"""The reference as a static site: pages made from `describe`, with nothing from elsewhere."""
