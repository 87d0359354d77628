"""From a plain model and its data to the form that samples best: what `tune` does.

::

    Call              -> Proposal     proposing: what `suggest` makes of the source and one run
    Proposal          -> Candidate    candidates: with what the data say, and a pilot of it
    Candidate         -> Tuned        deciding: what is gained, and what is written
    Tuned             -> text         reporting
"""
