"""The playground: a study's models write side by side in a browser.

`arms` keeps one base model in memory and switches adapters; `writing` streams tokens of all arms in turn;
`server` is the bounded web application around them.
"""
