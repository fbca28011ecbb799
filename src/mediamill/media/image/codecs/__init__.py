"""From files to pixels and back: headers, decoding, colour profiles, encoding."""
