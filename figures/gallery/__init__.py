"""Every figure of a report: which plot, which rows, which caption.

`every_figure` lists them, the modules by subject choose their rows, `draw` draws them and writes the files.
"""
