"""When the answer to one question may answer another one in other words. Pure: no I/O, no clock.

`extraction` takes a question out of a request, `lexicon` reads its words, `guards` name what no
similarity may overrule. `candidates` makes one candidate of the neighbours that a vector store found;
`threshold` and `verified` decide on it. `judges` say afterwards whether two answers were the same.
"""
