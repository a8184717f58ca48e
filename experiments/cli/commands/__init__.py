"""The commands of `bakeoff`: one file per family, each a function with its parameters and its help.

They check what was requested, call the room that does the work, and print; `app` registers them.
"""
