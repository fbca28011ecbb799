"""Ports to the outside and their backends, one file each; a backend never imports a sibling."""
