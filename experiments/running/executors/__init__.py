"""Where runs execute: processes of this machine (`local`), or a Ray cluster (`ray`).

Each run is a process of its own (`process`); `choose` picks the executor for a command's options.
"""
