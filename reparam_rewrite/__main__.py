"""``python -m reparam_rewrite``"""

from reparam_rewrite.cli.main import main

if __name__ == "__main__":
    main(prog_name="python -m reparam_rewrite")
