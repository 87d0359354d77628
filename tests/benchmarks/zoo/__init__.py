"""Models as people write them, each in a file of its own with the data that it is called with."""
