"""The small trained model that comes with the package: its text, its training, its figures."""
