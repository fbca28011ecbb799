"""Find near-duplicates in a set by fingerprints: re-encoded, resized, mirrored, turned or cropped.

`candidates` says which pictures may show the same and how one lies on the other, `verify` looks
whether that is so in the main, `agreement` whether it is in every part, `groups` joins what is.
"""
