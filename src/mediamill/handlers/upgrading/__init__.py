"""What is done once for the rows of earlier versions, while the service works."""
