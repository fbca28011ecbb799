"""Webhooks as their owner sees them."""
