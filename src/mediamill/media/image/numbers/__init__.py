"""Numbers that say what a picture is like."""
