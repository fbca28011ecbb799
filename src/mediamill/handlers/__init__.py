"""What units do: one file per kind. `app.py` registers each under its kind."""
