"""`health-check`: what a set of images is like, and what is wrong with it."""

from mediamill.operations.health_check.operation import HealthCheck

plugin = HealthCheck

__all__ = ["HealthCheck", "plugin"]
