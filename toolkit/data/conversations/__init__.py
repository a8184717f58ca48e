"""Conversations: turns become token ids and labels through a chat template.

`turns` holds a conversation as canonical JSON, `template` renders it and finds the tokens of its answers, and
`labels` says what of a row is trained on.
"""
