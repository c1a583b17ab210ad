"""The live page of the operator: what it holds of each resource, as HTML.

Pure, but for the short past that it keeps.
"""
