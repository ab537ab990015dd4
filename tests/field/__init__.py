"""A log of inputs from the field: each test draws one kind of input that people reported, and says what is right.

To add a kind, add a test: a drawn input, the call, the right value. Where `../shared/cases` holds an input of the kind
(its README.md says what is right), the same check runs on it.
"""
