"""Steps that are saved with variables."""
