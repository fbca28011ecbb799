"""What a server can be asked for, a class per noun: each call stands once, for both clients."""
