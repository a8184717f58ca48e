"""The blind taste test: pairs of generations -> a static page -> votes -> preferences with intervals.

`pairs` draws pairs and sides, `page` writes one HTML file that needs no server, `votes` reads what raters
export, `preferences` fits the preferences.
"""
