"""Libraries whose models keep what they know of their inputs elsewhere than scikit-learn's do: an entry for each.

A model is recognised by the module of its class, and nothing is imported that it has not brought itself.
"""
