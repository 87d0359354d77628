"""Settings for all tests. It imports nothing heavy: most tests never touch jax."""

import os

# The tests are small: looking for an accelerator takes longer than running them.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
