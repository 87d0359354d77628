"""``python -m reparam_rewrite``, and what the installed script runs."""

import gc
import sys

# A rewrite grows trees without cycles and ends: the cyclic collector would go through them, and
# through all that is imported, many times. Commands that run models have it on.
gc.disable()

from reparam_rewrite.cli.main import COMMANDS, main  # noqa: E402

if sys.argv[1:2] and sys.argv[1] in COMMANDS:
    gc.enable()

if __name__ == "__main__":
    main(prog_name="python -m reparam_rewrite")
