"""`mediamill up`, `api`, `worker` and `doctor`: the service in this process."""
