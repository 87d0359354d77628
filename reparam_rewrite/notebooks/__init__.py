"""What notebooks have beside their code: the stamp of a generated one, and places in cells."""
