"""The tabs of the model screen, one file a tab."""
