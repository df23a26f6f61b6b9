"""The admin listener: accounts and keys, publish and journal, what runs, and the page that shows it."""
