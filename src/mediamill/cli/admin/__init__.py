"""`mediamill admin`: run an installation from its own machine, without the page."""
