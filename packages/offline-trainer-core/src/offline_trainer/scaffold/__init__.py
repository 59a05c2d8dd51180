"""What `ot new-plugin` writes: plain template files, and the names that are filled in."""
