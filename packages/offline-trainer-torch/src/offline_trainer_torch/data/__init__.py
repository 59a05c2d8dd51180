"""`data.torch`: map-style datasets through torch's DataLoader, exact to the batch.

Imports nothing; the modules below are loaded when the component is resolved.
"""
