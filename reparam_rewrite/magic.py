"""placeholder"""


def load_ipython_extension(shell: object) -> None:
    """placeholder"""
