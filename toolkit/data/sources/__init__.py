"""Where rows come from: an installed package, local files, the Hugging Face Hub, or a mixture of these.

`open` picks the source, `files` and `hub` read it, `parsers` turns unusual rows into columns, `documents` and
`dialogues` turn rows into documents and conversations, `mixture` combines several data sets.
"""
