"""Pure state machines and arithmetic: values and `now` in, decisions out.

Nothing here touches a socket, a clock, a die, a database or asyncio.
"""
