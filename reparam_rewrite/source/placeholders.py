"""Names that stand in a module for what isn't Python: the borders of a notebook's cells, magics.

They are statements, as a comment would move with the code below it.
"""

from __future__ import annotations

#: No notebook may have this in its code.
RESERVED = "_reparam_rewrite_"

#: A line that is this name and a number begins a cell.
BORDER = f"{RESERVED}cell_"

#: A call of this name and a number is a magic: nobody knows what it does or gives.
MAGIC = f"{RESERVED}magic_"
