"""The command, one file a group.

Here lives what a person types and reads; whatever is decided, is decided further down. What a command needs
is imported when it runs, so that help is quick and the bare install can show all of it.
"""
