"""How training speed and memory grow with one setting at a time.

`axes` measures over model size, length and batch, each point a training of a few steps in a process of its
own (`points`); `sharing` over runs at once and processes of one run.
"""
