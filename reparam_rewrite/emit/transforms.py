"""The maps from what is standard normal a priori to bases given the data, as they are generated.

Both are triangular in each row, u given those before it, with the factor U of its precision and y
of what the data say: `emit/conditional.py` has the classes that compute these, and the names that
stand behind each ``$`` here.
"""

from __future__ import annotations

ROWS = '''\
class $name($transform):
    """base = U'u - y, for each row of u."""

    domain = codomain = $constraints.real

    def __init__(self, U, y, inverse=None):
        self.U, self.y, self.inverse = U, y, inverse

    def __call__(self, u):
        rows = $jnp.einsum("nji,...nj->...ni", self.U, self.split(u))
        return $jnp.reshape(rows - self.y, $jnp.shape(u))

    def _inverse(self, base):
        rows = self.split(base) + self.y
        if self.inverse is None:
            rows = $solve(self.U[0], rows[:, 0].T, trans=1).T
        else:
            rows = $jnp.einsum("nji,...nj->...ni", self.inverse, rows)
        return $jnp.reshape(rows, $jnp.shape(base))

    def log_abs_det_jacobian(self, u, base, intermediates=None):
        diagonal = $jnp.diagonal(self.U, axis1=-2, axis2=-1)
        each = $jnp.broadcast_to($jnp.log(diagonal), self.split(u).shape)
        return $jnp.reshape(each, $jnp.shape(u))

    def split(self, values):
        """(draws, rows, elements), of one draw or several."""
        return $jnp.reshape(values, (-1, *self.y.shape))

    def forward_shape(self, shape):
        return shape

    inverse_shape = forward_shape

    def tree_flatten(self):
        kept = "U", "y", "inverse"
        return tuple(getattr(self, name) for name in kept), (kept, {})'''

STRATA = '''\
class $name($transform):
    """Rotates axes, and base = U'u - y, for each row of each stratum of u.

    strata: whether each axis has its contrasts there, or else its mean.
    """

    domain = codomain = $constraints.real

    def __init__(self, parts, axes, strata):
        self.parts, self.axes, self.strata = parts, axes, strata

    @staticmethod
    def rotated(x, axes):
        """Reflections: first along each axis is its mean times sqrt(n)."""
        for axis in axes:
            n, x = x.shape[axis], $jnp.moveaxis(x, axis, -1)
            w = $jnp.eye(1, n)[0] - n**-0.5
            x = x - (x @ w)[..., None] * w / (1 - n**-0.5)
            x = $jnp.moveaxis(x, -1, axis)
        return x

    @staticmethod
    def place(stratum):
        """Where a stratum is, in axes that are in front of all others."""
        return tuple(slice(1, None) if one else 0 for one in stratum)

    def each(self, function, x):
        """A function of U, its inverse, y and the rows of each stratum."""
        front = tuple(range(len(self.axes)))
        x = made = $jnp.moveaxis(x, self.axes, front)
        for stratum, (U, inverse, y) in zip(self.strata, self.parts):
            place = self.place(stratum)
            rows = function(U, inverse, y, x[place].reshape(y.shape))
            made = made.at[place].set(rows.reshape(x[place].shape))
        return $jnp.moveaxis(made, front, self.axes)

    def __call__(self, u):
        rotated = self.rotated(u, self.axes)
        return self.each(lambda U, inverse, y, u: u @ U - y, rotated)

    def _inverse(self, base):
        u = self.each(lambda U, inverse, y, base: (base + y) @ inverse, base)
        return self.rotated(u, self.axes)

    def log_abs_det_jacobian(self, u, base, intermediates=None):
        def diagonal(U, inverse, y, u):
            return $jnp.broadcast_to($jnp.log($jnp.diagonal(U)), y.shape)

        return self.each(diagonal, u)

    def forward_shape(self, shape):
        return shape

    inverse_shape = forward_shape

    def tree_flatten(self):
        kept = {"axes": self.axes, "strata": self.strata}
        return (self.parts,), (("parts",), kept)'''
