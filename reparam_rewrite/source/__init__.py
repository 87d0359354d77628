"""Files as bytes, text and modules: reading, comparing and writing them."""
