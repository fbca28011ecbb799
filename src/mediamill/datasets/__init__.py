"""What a dataset is apart from where it lies: how it is split, written down and laid out."""
