"""The JSON Schema of what a config may hold, made from the installed components."""
