"""The dialects that come with the program, one venue product family a file.

Files whose name begins with `_` are no dialects: they hold what several have in common, for `extends`.
"""
