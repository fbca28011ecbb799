"""`python -m mediamill` is the same as the command `mediamill`."""

from mediamill.cli import main

if __name__ == "__main__":
    main()
