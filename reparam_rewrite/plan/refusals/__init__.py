"""Every reason not to rewrite what a config asks for.

A rule yields the `Problem` that it finds, or returns it. All are gathered before anything is
refused, so that a person sees the whole list at once.
"""
