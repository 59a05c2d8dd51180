"""Siblings that core builds on, re-exported under one name each."""
