"""A study before it runs, and after an edit.

`costs` estimates time and memory of a cell from finished runs, `plan` lists cells with their states and
costs, and `edits` names finished runs that the study no longer includes.
"""
