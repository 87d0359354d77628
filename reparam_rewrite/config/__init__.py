"""The config: its tables, what they may hold, and what they become."""
