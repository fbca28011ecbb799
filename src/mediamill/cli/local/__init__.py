"""`mediamill run`: an operation over files of this machine, without a server."""
