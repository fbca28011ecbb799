"""The audit trail: written as requests are answered, searched by administrators."""
