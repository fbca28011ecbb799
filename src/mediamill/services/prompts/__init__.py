"""Jobs that ask about files, said in short."""
