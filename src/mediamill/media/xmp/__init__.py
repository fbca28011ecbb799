"""What is said of a picture, written into its file or beside it, as XMP."""
