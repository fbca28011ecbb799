"""Documents as text and as pictures of their pages.

`types` tells what a file is, `plain` decodes text, `pdf` reads and draws pages, `word`, `sheets`
and `slides` read office documents out of a `package`. Nothing here opens another file or address
than the one at hand, follows a link, or runs a macro.
"""
