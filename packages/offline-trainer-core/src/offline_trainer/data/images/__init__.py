"""`data.images`: images from folders, tables and idx files, decoded and transformed by threads.

Imports nothing; the modules below are loaded when the component is resolved.
"""
