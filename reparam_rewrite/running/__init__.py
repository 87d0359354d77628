"""Running a model: what every command that does shares."""
