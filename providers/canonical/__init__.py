"""The canonical middle: where two dialects meet. Every dialect translates to it and from it, and none
to another. Same dialect on both sides never comes here: bytes pass through.

`request` is what a caller asks, `answer` what a provider says, `fold` turns events into an answer and
back, `notes` keeps what a target could not be told.
"""
