"""An archive that a stranger may have made, taken in: `unpacking` checks its form, `checking` its records.

`importing` then adds its runs, all or none.
"""
