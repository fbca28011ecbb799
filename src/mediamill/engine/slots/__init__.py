"""CPU slots: child processes with limits that run media operations on hostile input.

`pool` is the worker's side (`SlotPool`), `calls` what is asked and answered, `child` the other
process, `sandbox` what it may not do.
"""
